import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction, NoContent, Problem, ProblemError, Uuid } from '@latchkey/service-kit'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import { callerOf } from '../caller.ts'
import { endSession } from './end-session.ts'
import { requireOpenSession } from './open-session.ts'
import { listSessions } from './read-store.ts'
import { endAllSessions } from './revoke-store.ts'
import { formatSession, SessionReply } from './schemas.ts'

/** The user's own sessions: where they are logged in, and how to end one or all of them. */
export const sessionsRoutes: FastifyPluginAsyncTypebox = async (app) => {
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
      const sessions = await listSessions(app.db, user.sub)
      return { sessions: sessions.map((session) => formatSession(session, user.sid)) }
    },
  )

  app.delete(
    '/sessions/:id',
    {
      schema: {
        tags: ['sessions'],
        operationId: 'endSession',
        summary: 'End one of your sessions and those below it',
        params: Type.Object({ id: Uuid }),
        response: { 204: NoContent, 404: Problem },
      },
    },
    async (request, reply) => {
      if (!(await endOwnSession(request, request.params.id))) {
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
    async (request, reply) => {
      await endOwnSessions(request)
      return reply.code(204).send(null)
    },
  )
}

/** Ends one of the caller's sessions and those below it. @returns whether it was open */
export async function endOwnSession(request: FastifyRequest, sessionId: string): Promise<boolean> {
  const { userId } = callerOf(request)
  const event = describeEvent(request)
  const found = await endSession(request.server, { sessionId, userId, event })
  return found?.wasOpen === true
}

/** Ends all sessions of the caller and revokes their tokens. */
export async function endOwnSessions(request: FastifyRequest): Promise<void> {
  const { server: app } = request
  const { userId } = callerOf(request)
  const event = describeEvent(request)
  await app.revoking(
    () => inTransaction(app.db, (transaction) => endAllSessions(transaction, userId, event)),
    (ids) => ids,
  )
}
