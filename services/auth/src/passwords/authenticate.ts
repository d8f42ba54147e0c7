import { ProblemError, type Queryable } from '@latchkey/service-kit'
import { insertEvent, type NewEvent } from '../audit/store.ts'
import type { PasswordHasher } from './hasher.ts'
import { admitLogin, type LoginAttempt, replacePasswordHash, settleFailures } from './store.ts'

/** A user whose password was verified. */
export interface Authenticated {
  userId: string
  passwordHash: string
  passwordVersion: number
}

interface PasswordGuess {
  email: string
  password: string
  network: string
  /** Recorded as refused, if it is. */
  event: NewEvent
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
  { email, password, network, event }: PasswordGuess,
): Promise<Authenticated | undefined> {
  const attempt = await admitGuess(db, { email, network })
  const { userId, passwordHash, passwordVersion, disabled, failureKeys } = attempt
  const matches = await hasher.verify(passwordHash ?? undefined, password)
  if (!matches || !userId || !passwordHash || passwordVersion === null || disabled) {
    await insertEvent(db, { ...event, actor: 'anonymous', result: 'refused' }, userId)
    return undefined
  }
  await settleFailures(db, failureKeys)
  return { userId, passwordHash, passwordVersion }
}

/**
 * Counts a guess at a password or a code, before it is checked; `settleFailures` reverts that.
 *
 * @throws ProblemError 429 `too_many_failures`
 */
export async function admitGuess(
  db: Queryable,
  guess: { email: string; network: string },
): Promise<LoginAttempt> {
  const attempt = await admitLogin(db, guess)
  if (attempt.retryAfterSeconds !== null) throw tooManyFailures(attempt.retryAfterSeconds)
  return attempt
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
    'Too many wrong passwords or codes. Wait the number of seconds in Retry-After.',
    { 'retry-after': String(seconds) },
  )
