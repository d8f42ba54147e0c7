import type { FastifyInstance } from 'fastify'
import { type EndedSession, revokeSession } from './revoke-store.ts'

/**
 * Ends and revokes a session and those below it, durably.
 *
 * @returns whether the session was open; `undefined` when there is none
 * @throws ProblemError 503
 */
export async function endSession(
  app: FastifyInstance,
  session: EndedSession,
): Promise<{ wasOpen: boolean } | undefined> {
  const found = await app.revoking(
    () => revokeSession(app.db, session),
    (result) => result?.ended ?? [],
  )
  return found && { wasOpen: found.ended.includes(session.sessionId) }
}
