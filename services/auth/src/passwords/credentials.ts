import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'

/**
 * ASCII only, because JavaScript and Postgres agree on its lower case. An `İ` would reach an
 * account under a key other than the one its failures are counted by.
 */
const ascii = { pattern: '^[ -~]*$', maxLength: 254 }

/** An e-mail address to register. */
export const Email = Type.String({
  ...ascii,
  format: 'email',
  description: 'an e-mail address of ASCII characters, such as ada@example.com',
  examples: ['ada@example.com'],
})

/** At least 8 characters (NIST SP 800-63B section 5.1.1.2), and few enough to hash cheaply. */
export const NewPassword = Type.String({
  minLength: 8,
  maxLength: 256,
  examples: ['correct horse battery'],
})

/** The body of a login. Its password follows no rule for new ones, which may change. */
export const Credentials = Type.Object(
  {
    email: Type.String({
      ...ascii,
      description: 'an e-mail address of ASCII characters',
      examples: ['ada@example.com'],
    }),
    password: Type.String({ maxLength: 256, examples: ['correct horse battery'] }),
  },
  { additionalProperties: false },
)
export type Credentials = Static<typeof Credentials>

/**
 * The form of a password that is hashed (NFKC, as NIST SP 800-63B section 5.1.1.2 asks for). Some
 * keyboards send `é` as one character, others as two.
 */
export const normalizePassword = (password: string): string => password.normalize('NFKC')

/**
 * A `preValidation` hook: removes white space around an e-mail address, which keyboards and
 * clipboards add, and normalizes passwords, so that their rules count the characters hashed.
 */
export async function normalizeCredentials({ body }: FastifyRequest): Promise<void> {
  if (typeof body !== 'object' || body === null) return
  const members = body as Record<string, unknown>
  for (const [name, value] of Object.entries(members)) {
    if (typeof value !== 'string') continue
    if (name === 'email') members[name] = value.trim()
    else if (name.endsWith('password')) members[name] = normalizePassword(value)
  }
}
