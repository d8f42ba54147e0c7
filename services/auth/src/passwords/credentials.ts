import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { mailAddressPattern } from '../mail/address.ts'

/**
 * ASCII only, because JavaScript and Postgres agree on its lower case. An `İ` would reach an
 * account under a key other than the one its failures are counted by.
 */
const ascii = { pattern: '^[ -~]*$', maxLength: 254 }

/** An e-mail address to register. */
export const Email = Type.String({
  pattern: mailAddressPattern,
  maxLength: 254,
  description: 'an e-mail address of ASCII characters, such as ada@example.com',
  examples: ['ada@example.com'],
})

/** At least 8 characters (NIST SP 800-63B section 5.1.1.2), and few enough to hash cheaply. */
export const NewPassword = Type.String({
  minLength: 8,
  maxLength: 256,
  examples: ['correct horse battery'],
})

/** A password that is compared. It follows no rule for new ones, which may change. */
export const CurrentPassword = Type.String({
  maxLength: 256,
  examples: ['correct horse battery'],
})

/** The body of a login. */
export const Credentials = Type.Object(
  {
    email: Type.String({
      ...ascii,
      description: 'an e-mail address of ASCII characters',
      examples: ['ada@example.com'],
    }),
    password: CurrentPassword,
  },
  { additionalProperties: false },
)
export type Credentials = Static<typeof Credentials>

/**
 * The form of a password that is hashed (NFKC, as NIST SP 800-63B section 5.1.1.2 asks for). Some
 * keyboards send `é` as one character, others as two.
 */
export const normalizePassword = (password: string): string => password.normalize('NFKC')

/** A `preValidation` hook: removes white space around the address, which clipboards add. */
export const trimEmail = async ({ body }: FastifyRequest) => change(body, 'email', (s) => s.trim())

/** A `preValidation` hook: the rules of a new password count the characters that are hashed. */
export const normalizeNewPassword =
  (name: 'password' | 'new_password') =>
  async ({ body }: FastifyRequest) =>
    change(body, name, normalizePassword)

/** Changes a member of a body that is not validated yet, if it is a text. */
function change(body: unknown, name: string, by: (text: string) => string): void {
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, name)) return
  const members = body as Record<string, unknown>
  if (typeof members[name] === 'string') members[name] = by(members[name])
}
