import { Type } from 'typebox'

/** A UUID as Postgres writes it. `format: 'uuid'` would accept `urn:uuid:…`, which it refuses. */
export const Uuid = Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' })
