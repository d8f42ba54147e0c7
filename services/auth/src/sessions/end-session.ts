import type { FastifyInstance } from 'fastify'
import { type EndedSession, revokeSession } from './revoke-store.ts'

/**
 * Ends and revokes a session, durably.
 *
 * @returns whether the session was open; `undefined` when there is none
 * @throws ProblemError 503
 */
export const endSession = (
  app: FastifyInstance,
  session: EndedSession,
): Promise<{ wasOpen: boolean } | undefined> =>
  app.revoking(
    () => revokeSession(app.db, session),
    (found) => (found?.wasOpen ? [session.sessionId] : []),
  )
