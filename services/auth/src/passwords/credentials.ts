import { type Static, Type } from 'typebox'

/**
 * ASCII only, because JavaScript and Postgres agree on its lower case. An `İ` would reach an
 * account under a key other than the one its failures are counted by.
 */
const ascii = { pattern: '^[ -~]*$', maxLength: 254 }

/** An e-mail address to register. */
export const Email = Type.String({ ...ascii, format: 'email' })

/** At least 8 characters (NIST SP 800-63B section 5.1.1.2), and few enough to hash cheaply. */
export const NewPassword = Type.String({ minLength: 8, maxLength: 256 })

/** The body of a login. Its password follows no rule for new ones, which may change. */
export const Credentials = Type.Object(
  { email: Type.String(ascii), password: Type.String({ maxLength: 256 }) },
  { additionalProperties: false },
)
export type Credentials = Static<typeof Credentials>
