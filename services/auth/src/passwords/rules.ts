import { ProblemError } from '@latchkey/service-kit'
import fp from 'fastify-plugin'
import type { AuthConfig } from '../config.ts'
import { isBreached } from './breached.ts'
import { normalizePassword } from './credentials.ts'
import { estimateGuesses } from './strength.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Every route that sets a password asks these rules before it hashes the password. */
    passwordRules: PasswordRules
  }
}

/** The rules of new passwords (NIST SP 800-63B-4 section 3.1.1.2): none on their composition. */
export interface PasswordRules {
  /**
   * Refuses a password that someone could guess. Call it outside `PasswordBulkhead.admit`: the
   * service for breached passwords may take a second to answer.
   *
   * @throws ProblemError 400 with the code `password_too_short`, `password_contains_email`,
   * `password_contains_product`, `password_common` or `password_breached`
   * @throws ProblemError 503 `busy` when too many passwords wait for the check
   */
  assertAcceptable: (password: string, user: { email: string }) => Promise<void>
}

/**
 * Passwords that need fewer guesses are common. It is what eight random characters need by the
 * estimate, so that every shorter way to write a password is refused: `Summer2024!` needs 1e7,
 * `London2024!` 7e7, `another battery` 1e8, `correct horse battery` 4e13.
 */
const minGuesses = 1e8

/** Shorter names and addresses are part of many words by chance. */
const minNameLength = 4

/**
 * The rules of a configuration.
 *
 * @param isKnown whether a password is known from a breach; must not throw
 */
function createPasswordRules(
  {
    LATCHKEY_PASSWORD_MIN_LENGTH: minLength,
    LATCHKEY_PRODUCT_NAME: product,
  }: Pick<AuthConfig, 'LATCHKEY_PASSWORD_MIN_LENGTH' | 'LATCHKEY_PRODUCT_NAME'>,
  isKnown: (password: string) => Promise<boolean>,
): PasswordRules {
  return {
    assertAcceptable: async (sent, { email }) => {
      const password = normalizePassword(sent)
      const [localPart = ''] = email.split('@', 1)
      if ([...password].length < minLength) {
        throw refusal('password_too_short', `Use a password of at least ${minLength} characters.`)
      }
      if (containsName(password, localPart) || containsName(password, email)) {
        throw refusal(
          'password_contains_email',
          'Use a password that does not contain your e-mail address.',
        )
      }
      if (containsName(password, product) || containsName(password, product.replaceAll(' ', ''))) {
        throw refusal(
          'password_contains_product',
          `Use a password that does not contain "${product}".`,
        )
      }
      if ((await estimateGuesses(password)) < minGuesses) {
        throw refusal(
          'password_common',
          'This password is easy to guess. Use a longer one, such as four unrelated words.',
        )
      }
      if (await isKnown(password)) {
        throw refusal(
          'password_breached',
          'This password is known from a data breach. Use another one, and change it everywhere else.',
        )
      }
    },
  }
}

/** `app.passwordRules`: the rules of the app's configuration. */
export const passwordRules = fp(
  async (app) => {
    const { LATCHKEY_BREACHED_PASSWORDS_URL: url } = app.config

    /** Accepts the password when the service fails: nobody could register without it. */
    async function isKnown(password: string): Promise<boolean> {
      if (url === undefined) return false
      try {
        const breached = await isBreached(url, password)
        app.counters.breachedPasswordChecks.inc({ result: breached ? 'breached' : 'ok' })
        return breached
      } catch (err) {
        app.counters.breachedPasswordChecks.inc({ result: 'failed' })
        app.log.warn({ err }, 'a new password was accepted without a check for breaches')
        return false
      }
    }
    app.decorate('passwordRules', createPasswordRules(app.config, isKnown))
  },
  { name: 'password-rules', fastify: '5.x', dependencies: ['auth-metrics'] },
)

const containsName = (password: string, name: string) =>
  name.length >= minNameLength &&
  password.toLowerCase().includes(normalizePassword(name).toLowerCase())

const refusal = (code: string, detail: string) => new ProblemError(400, code, detail)
