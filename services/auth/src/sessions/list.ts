import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction, NoContent, Problem, ProblemError, Uuid } from '@latchkey/service-kit'
import { Type } from 'typebox'
import { requireOpenSession } from './open-session.ts'
import { listSessions } from './read-store.ts'
import { revokeAllSessions, revokeSession } from './revoke-store.ts'

const SessionReply = Type.Object({
  id: Type.String({ format: 'uuid' }),
  current: Type.Boolean({ description: 'Whether this request uses this session.' }),
  user_agent: Type.Union([Type.String(), Type.Null()]),
  created_at: Type.String({ format: 'date-time' }),
  refreshed_at: Type.String({ format: 'date-time' }),
  expires_at: Type.String({ format: 'date-time' }),
})

/** The user's own sessions: where they are logged in, and how to end one or all of them. */
export const sessionsRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { db } = app
  app.addHook('preHandler', requireOpenSession)

  app.get(
    '/sessions',
    {
      schema: {
        tags: ['sessions'],
        operationId: 'listSessions',
        summary: 'List your open sessions',
        response: { 200: Type.Object({ sessions: Type.Array(SessionReply) }) },
      },
    },
    async ({ user }) => {
      const sessions = await listSessions(db, user.sub)
      return {
        sessions: sessions.map((session) => ({
          id: session.id,
          current: session.id === user.sid,
          user_agent: session.userAgent,
          created_at: session.createdAt.toISOString(),
          refreshed_at: session.refreshedAt.toISOString(),
          expires_at: session.expiresAt.toISOString(),
        })),
      }
    },
  )

  app.delete(
    '/sessions/:id',
    {
      schema: {
        tags: ['sessions'],
        operationId: 'endSession',
        summary: 'End one of your sessions',
        params: Type.Object({ id: Uuid }),
        response: { 204: NoContent, 404: Problem },
      },
    },
    async ({ params, user }, reply) => {
      const session = { sessionId: params.id, userId: user.sub }
      const found = await app.revoking(
        () => revokeSession(db, session),
        (result) => (result?.wasOpen ? [params.id] : []),
      )
      if (!found?.wasOpen) {
        throw new ProblemError(404, 'session_not_found', 'You have no open session with this ID.')
      }
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/sessions',
    {
      schema: {
        tags: ['sessions'],
        operationId: 'endAllSessions',
        summary: 'Log out everywhere: end all your sessions and revoke their tokens',
        response: { 204: NoContent },
      },
    },
    async ({ user }, reply) => {
      await app.revoking(
        () => inTransaction(db, (transaction) => revokeAllSessions(transaction, user.sub)),
        (ids) => ids,
      )
      return reply.code(204).send(null)
    },
  )
}
