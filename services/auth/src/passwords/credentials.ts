import { type Static, Type } from 'typebox'

/**
 * ASCII alone: JavaScript and Postgres agree on its lower case. An `İ` would reach an account under
 * another key than its failures are counted by.
 */
const ascii = { pattern: '^[ -~]*$', maxLength: 254 }
/** An e-mail address that an account can have. */
export const Email = Type.String({ ...ascii, format: 'email' })

/** At least 8 characters (NIST SP 800-63B section 5.1.1.2); at most what is still cheap to hash. */
export const NewPassword = Type.String({ minLength: 8, maxLength: 256 })

/** What opens a session. */
export const Credentials = Type.Object(
  { email: Type.String(ascii), password: Type.String({ maxLength: 256 }) },
  { additionalProperties: false },
)
export type Credentials = Static<typeof Credentials>
