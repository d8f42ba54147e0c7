import { ProblemError, type Queryable } from '@latchkey/service-kit'
import type { PasswordHasher } from './hasher.ts'
import { admitLogin, replacePasswordHash, settleFailures } from './store.ts'

/** A user whose password was verified. */
export interface Authenticated {
  userId: string
  passwordHash: string
  passwordVersion: number
}

/**
 * Verifies a password, with the limits on guessing. Every route that asks for a password uses this:
 * a stolen access token must not be a way around the limits.
 *
 * @returns `undefined` for an unknown user, a wrong password and a disabled user
 * @throws ProblemError 429 `too_many_failures` after too many wrong guesses
 */
export async function authenticatePassword(
  db: Queryable,
  hasher: PasswordHasher,
  { email, password, network }: { email: string; password: string; network: string },
): Promise<Authenticated | undefined> {
  const attempt = await admitLogin(db, { email, network })
  if (attempt.retryAfterSeconds !== null) throw tooManyFailures(attempt.retryAfterSeconds)
  const { userId, passwordHash, passwordVersion, disabled, failureKeys } = attempt
  const matches = await hasher.verify(passwordHash ?? undefined, password)
  if (!matches || !userId || !passwordHash || passwordVersion === null || disabled) return undefined
  await settleFailures(db, failureKeys)
  return { userId, passwordHash, passwordVersion }
}

/** Hashes a verified password anew if its hash has another cost than the configured one. */
export async function replaceOutdatedHash(
  db: Queryable,
  hasher: PasswordHasher,
  { password, userId, passwordVersion, passwordHash }: Authenticated & { password: string },
): Promise<void> {
  if (!hasher.isOutdated(passwordHash)) return
  const newHash = await hasher.hash(password)
  await replacePasswordHash(db, { userId, passwordVersion, passwordHash: newHash })
}

const tooManyFailures = (seconds: number) =>
  new ProblemError(
    429,
    'too_many_failures',
    'Too many wrong passwords. Wait the number of seconds in Retry-After.',
    { 'retry-after': String(seconds) },
  )
