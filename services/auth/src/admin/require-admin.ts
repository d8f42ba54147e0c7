import { inTransaction, ProblemError, type Transaction } from '@latchkey/service-kit'
import type { FastifyRequest } from 'fastify'
import { type LockedUser, lockWithAdmins } from '../accounts/delete-store.ts'
import { findClient } from '../client.ts'
import { checkOpenSession, requireOpenSession } from '../sessions/open-session.ts'
import { requireOperator } from '../verifiers/require-client.ts'

/**
 * A `preHandler` hook: admits an admin whose session is open, or the operator, each of whose
 * assertions is accepted once. The token of an app is refused: it would have all that its user may
 * do, however little the app was granted.
 */
export async function requireAdmin(request: FastifyRequest): Promise<void> {
  if (findClient(request.user)) return requireOperator(request)
  if (request.user.client_id !== undefined) throw appForbidden()
  await requireOpenSession(request)
}

const appForbidden = () =>
  new ProblemError(
    403,
    'app_forbidden',
    'An app may not call this route, whoever its user is. Use a token of POST /v1/login.',
  )

type UserRequest = FastifyRequest<{ Params: { id: string } }>

/**
 * Runs a change of one user in a transaction. Under its locks it checks again that the caller is an
 * admin: the request may have waited while the caller was disabled.
 *
 * @throws ProblemError 404 `user_not_found`
 */
export async function changeAsAdmin<T>(
  request: UserRequest,
  change: (transaction: Transaction, old: LockedUser) => Promise<T>,
): Promise<T> {
  const { server, params, user } = request
  const inOrder = async (transaction: Transaction) => {
    const lock = { userId: params.id, sessionId: user.sid }
    const old = await lockWithAdmins(transaction, lock)
    if (!findClient(user)) await checkOpenSession(transaction, request)
    return change(transaction, old ?? userNotFound())
  }
  return server.revoking(
    () => inTransaction(server.db, inOrder),
    () => [],
  )
}

export function userNotFound(): never {
  throw new ProblemError(404, 'user_not_found', 'There is no user with this ID.')
}
