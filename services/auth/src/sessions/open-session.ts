import type { Queryable } from '@latchkey/service-kit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { findBrowserSession } from './browser-store.ts'
import { sessionEnded } from './problems.ts'
import { isOpenSession } from './read-store.ts'

/**
 * A hook for auth's own routes: requires that the session is open in the database now. Routes that
 * require a role need nothing more, because the user has every role of the token.
 */
export async function requireOpenSession(request: FastifyRequest): Promise<void> {
  await checkOpenSession(request.server.db, request)
}

/**
 * The same for pages, by the cookie: sets `request.browserUser`. A browser that is not signed in is
 * sent to the login page, which leads to the account.
 */
export async function requireBrowserSession(request: FastifyRequest, reply: FastifyReply) {
  const { browserSessionId: id, server } = request
  const session = id === undefined ? undefined : await findBrowserSession(server.db, id)
  if (!session) return reply.redirect('login', 303)
  request.browserUser = session
}

/**
 * The same check in a transaction, for a change that may have waited for locks since.
 *
 * @throws ProblemError 401 `token_revoked`
 */
export async function checkOpenSession(
  db: Queryable,
  { user, browserUser }: Pick<FastifyRequest, 'user' | 'browserUser'>,
): Promise<void> {
  const isOpen = browserUser
    ? (await findBrowserSession(db, browserUser.sessionId)) !== undefined
    : await isOpenSession(db, user)
  if (!isOpen) throw sessionEnded()
}
