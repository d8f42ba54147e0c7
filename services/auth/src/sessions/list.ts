import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction, NoContent, Problem, ProblemError, Uuid } from '@latchkey/service-kit'
import { Type } from 'typebox'
import { rememberSeconds } from '../revocation/memory.ts'
import { requireOpenSession } from './open-session.ts'
import { list, revoke, revokeAll } from './store.ts'

const SessionReply = Type.Object({
  id: Type.String({ format: 'uuid' }),
  current: Type.Boolean({ description: 'Whether it is the session that asks.' }),
  user_agent: Type.Union([Type.String(), Type.Null()]),
  created_at: Type.String({ format: 'date-time' }),
  refreshed_at: Type.String({ format: 'date-time' }),
  expires_at: Type.String({ format: 'date-time' }),
})

/** The user's own sessions: to see where one is logged in, and to end one or all of them. */
export const sessionsRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { db } = app
  app.addHook('preHandler', requireOpenSession)

  app.get(
    '/sessions',
    {
      schema: {
        tags: ['sessions'],
        summary: 'List your open sessions',
        response: { 200: Type.Object({ sessions: Type.Array(SessionReply) }), 401: Problem },
      },
    },
    async ({ user }) => {
      const sessions = await list(db, user.sub)
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
        summary: 'End one of your sessions',
        params: Type.Object({ id: Uuid }),
        response: { 204: NoContent, 401: Problem, 404: Problem },
      },
    },
    async ({ params, user }, reply) => {
      if (!(await revoke(db, params.id, user.sub, rememberSeconds))) {
        throw new ProblemError(404, 'session_not_found', 'You have no open session with this id.')
      }
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/sessions',
    {
      schema: {
        tags: ['sessions'],
        summary: 'Log out everywhere: end all your sessions and revoke their tokens',
        response: { 204: NoContent, 401: Problem },
      },
    },
    async ({ user }, reply) => {
      await inTransaction(db, (transaction) => revokeAll(transaction, user.sub, rememberSeconds))
      return reply.code(204).send(null)
    },
  )
}
