import type { FastifyRequest } from 'fastify'
import { describeEvent } from '../audit/describe-event.ts'
import { callerOf } from '../caller.ts'
import { type Authenticated, authenticatePassword } from '../passwords/authenticate.ts'
import { sessionEnded } from '../sessions/problems.ts'
import { wrongPassword } from './problems.ts'
import { findUserById, type User } from './store.ts'

/**
 * Reads the account of the caller.
 *
 * @throws ProblemError 401 `token_revoked`
 */
export async function getOwnUser(request: FastifyRequest): Promise<User> {
  const found = await findUserById(request.server.db, callerOf(request).userId)
  if (!found) throw sessionEnded()
  return found
}

/**
 * Verifies the current password of the caller, with the limits on guessing.
 *
 * @throws ProblemError 403 `invalid_credentials`, 429 `too_many_failures`, 503 `busy`
 */
export async function verifyOwnPassword(
  request: FastifyRequest,
  password: string,
): Promise<Authenticated> {
  const { network, server: app } = request
  const { email } = await getOwnUser(request)
  const guess = { email, password, network, event: describeEvent(request) }
  const known = await app.passwords.admit(network, (hasher) =>
    authenticatePassword(app.db, hasher, guess),
  )
  if (!known) throw wrongPassword()
  return known
}
