import { Type } from 'typebox'
import { v7 } from 'uuid'

/** A UUID as Postgres writes it. `format: 'uuid'` would accept `urn:uuid:…`, which it refuses. */
const pattern = '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'

export const Uuid = Type.String({
  pattern,
  description: 'a UUID in lower case',
  examples: ['01a21a52-6f0e-7c1c-9e0f-3b1d6a7c9f10'],
})

const uuid = new RegExp(pattern)

/** Whether a text, for instance a claim of a token, can be compared with a `uuid` column. */
export const isUuid = (text: string): boolean => uuid.test(text)

/**
 * Makes the id of a new row: a UUIDv7 (RFC 9562 section 5.7), ordered by time, so that ids can page
 * through a table. Those of one process are in strict order. PostgreSQL makes them only since 18.
 */
export const createUuid = (): string => v7()

/** When a UUIDv7 was made, in milliseconds since 1970; NaN for another version. */
export const uuidTime = (id: string): number =>
  id[14] === '7' ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : Number.NaN
