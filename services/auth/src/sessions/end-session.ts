import type { FastifyInstance } from 'fastify'
import { revokeSession } from './revoke-store.ts'

/**
 * Ends and revokes a session, durably.
 *
 * @param session.userId its owner; leave it out when the caller presented its refresh token
 * @returns whether the session was open; `undefined` when there is none
 * @throws ProblemError 503
 */
export const endSession = (
  app: FastifyInstance,
  session: { sessionId: string; userId?: string },
): Promise<{ wasOpen: boolean } | undefined> =>
  app.revoking(
    () => revokeSession(app.db, session),
    (found) => (found?.wasOpen ? [session.sessionId] : []),
  )
