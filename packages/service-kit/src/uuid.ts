import { Type } from 'typebox'

/** A UUID as Postgres writes it. `format: 'uuid'` would accept `urn:uuid:…`, which it refuses. */
const pattern = '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'

export const Uuid = Type.String({ pattern, description: 'a UUID in lower case' })

const uuid = new RegExp(pattern)

/** Whether a text, for instance a claim of a token, can be compared with a `uuid` column. */
export const isUuid = (text: string): boolean => uuid.test(text)
