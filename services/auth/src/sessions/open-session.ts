import type { Queryable } from '@latchkey/service-kit'
import type { User } from '@latchkey/verify/fastify'
import type { FastifyRequest } from 'fastify'
import { sessionEnded } from './problems.ts'
import { isOpenSession } from './read-store.ts'

/**
 * A hook for auth's own routes: requires that the session is open in the database now. Routes that
 * require a role need nothing more, because the user has every role of the token.
 */
export async function requireOpenSession({ server, user }: FastifyRequest): Promise<void> {
  await checkOpenSession(server.db, user)
}

/**
 * The same check in a transaction, for a change that may have waited for locks since.
 *
 * @throws ProblemError 401 `token_revoked`
 */
export async function checkOpenSession(db: Queryable, user: User): Promise<void> {
  if (!(await isOpenSession(db, user))) throw sessionEnded()
}
