import { ProblemError } from '@latchkey/service-kit'
import type { FastifyInstance } from 'fastify'
import { admitLogin } from './store.ts'

/** What a right password proves, and the failure counters that its success settles. */
export interface Authenticated {
  userId: string
  passwordHash: string
  passwordVersion: number
  failureKeys: string[]
}

/**
 * Checks a password as a login does, wherever it is asked for: a stolen token is no way around the
 * limits on guessing. To be called within `passwords.admit`, so that who is refused for want of a
 * place is not counted as a guesser.
 *
 * @returns `undefined` for an unknown user, a wrong password and a disabled user
 * @throws ProblemError 429 `too_many_failures` for whoever has guessed too often
 */
export async function authenticatePassword(
  { db, passwords }: Pick<FastifyInstance, 'db' | 'passwords'>,
  email: string,
  password: string,
  network: string,
): Promise<Authenticated | undefined> {
  const attempt = await admitLogin(db, email, network)
  if (attempt.retryAfterSeconds !== null) throw tooManyFailures(attempt.retryAfterSeconds)
  const { userId, passwordHash, passwordVersion, disabled, failureKeys } = attempt
  const matches = await passwords.verify(passwordHash ?? undefined, password)
  if (!matches || !userId || !passwordHash || passwordVersion === null || disabled) return undefined
  return { userId, passwordHash, passwordVersion, failureKeys }
}

const tooManyFailures = (seconds: number) =>
  new ProblemError(
    429,
    'too_many_failures',
    'Too many wrong passwords. Wait as long as Retry-After says.',
    { 'retry-after': String(seconds) },
  )
