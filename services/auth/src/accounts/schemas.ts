import { type Static, Type } from 'typebox'

/** Not `format: 'uuid'`, which takes `urn:uuid:…` too; Postgres does not. */
export const Uuid = Type.String({
  pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$',
})

/**
 * ASCII alone: JavaScript and Postgres agree on its lower case. An `İ` would reach an account under
 * another key than its failures are counted by.
 */
const ascii = { pattern: '^[ -~]*$', maxLength: 254 }
const Email = Type.String({ ...ascii, format: 'email' })

/** At least 8 characters (NIST SP 800-63B section 5.1.1.2); at most what is still cheap to hash. */
export const NewPassword = Type.String({ minLength: 8, maxLength: 256 })

/** What registers an account. */
export const Registration = Type.Object(
  { email: Email, password: NewPassword },
  { additionalProperties: false },
)

/** What opens a session. */
export const Credentials = Type.Object(
  { email: Type.String(ascii), password: Type.String({ maxLength: 256 }) },
  { additionalProperties: false },
)
export type Credentials = Static<typeof Credentials>

/** A user as the user may see it. */
export const UserReply = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    email: Type.String(),
    scope: Type.String(),
    roles: Type.Array(Type.String()),
    disabled: Type.Boolean(),
    created_at: Type.String({ format: 'date-time' }),
  },
  { $id: 'User', title: 'User' },
)
