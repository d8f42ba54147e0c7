import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction, NoContent, Problem, type Transaction } from '@latchkey/service-kit'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import { EventPage, EventPageQuery, formatEventPage } from '../audit/schemas.ts'
import { type AuditEvent, insertEvent, listEvents } from '../audit/store.ts'
import { callerOf } from '../caller.ts'
import { perUser } from '../limits/per-user.ts'
import { CurrentPassword } from '../passwords/credentials.ts'
import { checkOpenSession, requireOpenSession } from '../sessions/open-session.ts'
import { sessionEnded } from '../sessions/problems.ts'
import { listSessions } from '../sessions/read-store.ts'
import { formatSession, SessionReply } from '../sessions/schemas.ts'
import { deleteUser, lockWithAdmins } from './delete-store.ts'
import { getOwnUser, verifyOwnPassword } from './own-user.ts'
import { lastAdmin } from './problems.ts'
import { formatUser, UserReply } from './schemas.ts'

/** Per user: each export adds an event to the audit log. */
const maxExportsPerMinute = 5

/** Events in one export. The others are in `GET /v1/me/events`. */
const maxExported = 1_000

/** What is stored about the token's user: to read, to take along, and to delete. */
export const ownDataRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { db } = app
  app.addHook('preHandler', requireOpenSession)

  app.get(
    '/me/events',
    {
      schema: {
        tags: ['accounts'],
        operationId: 'listMyEvents',
        summary: 'Read what happened to your account, the latest event first',
        querystring: Type.Object(EventPageQuery, { additionalProperties: false }),
        response: { 200: EventPage },
      },
    },
    async (request) => {
      const { before, limit = 50 } = request.query
      return formatEventPage(await listOwnEvents(request, { before, limit: limit + 1 }), limit)
    },
  )

  app.get(
    '/me/export',
    {
      config: { rateLimit: perUser(maxExportsPerMinute, 'exportMyData') },
      schema: {
        tags: ['accounts'],
        operationId: 'exportMyData',
        summary: 'Read all that is stored about you',
        response: {
          200: Type.Object({
            user: UserReply,
            sessions: Type.Array(SessionReply),
            events: EventPage.properties.events,
            next_events: EventPage.properties.next,
          }),
          429: Problem,
        },
      },
    },
    async (request, reply) => {
      const { user } = request
      const found = await getOwnUser(request)
      const sessions = await listSessions(db, user.sub)
      const rows = await listOwnEvents(request, { limit: maxExported + 1 })
      const { events, next } = formatEventPage(rows, maxExported)
      await insertEvent(db, describeEvent(request), user.sub)
      reply.header('content-disposition', 'attachment; filename="account.json"')
      return {
        user: formatUser(found),
        sessions: sessions.map((session) => formatSession(session, user.sid)),
        events,
        next_events: next,
      }
    },
  )

  app.delete(
    '/me',
    {
      schema: {
        tags: ['accounts'],
        operationId: 'deleteMe',
        summary: 'Delete your account: ends all sessions and revokes their tokens',
        body: Type.Object({ password: CurrentPassword }, { additionalProperties: false }),
        response: { 204: NoContent, 403: Problem, 409: Problem, 429: Problem },
      },
    },
    async (request, reply) => {
      await deleteOwnAccount(request, request.body.password)
      return reply.code(204).send(null)
    },
  )
}

/** Lists the events of the caller's account, the latest first. */
export async function listOwnEvents(
  request: FastifyRequest,
  page: { before?: string | undefined; limit: number },
): Promise<AuditEvent[]> {
  const { userId: subjectId } = callerOf(request)
  return (await listEvents(request.server.db, { subjectId, ...page })).map(hideOthers)
}

/**
 * Deletes the account of the caller, ends all sessions and revokes their tokens.
 *
 * @throws ProblemError 401 `token_revoked`, 409 `last_admin`, and those of `verifyOwnPassword`
 */
export async function deleteOwnAccount(request: FastifyRequest, password: string): Promise<void> {
  const { server: app } = request
  const caller = callerOf(request)
  await verifyOwnPassword(request, password)
  const erase = async (transaction: Transaction) => {
    const locked = await lockWithAdmins(transaction, caller)
    if (!locked) throw sessionEnded()
    // The password may have been reset since it was verified.
    await checkOpenSession(transaction, request)
    if (locked.isLastAdmin) throw lastAdmin()
    await deleteUser(transaction, caller.userId, describeEvent(request))
  }
  await app.revoking(
    () => inTransaction(app.db, erase),
    () => [],
  )
}

/** Users see that an admin or the operator did something, not from where. */
const hideOthers = <T extends { actor: string; actorId: string | null; subjectId: string | null }>(
  event: T,
): T =>
  event.actor === 'user' || event.actor === 'anonymous' || event.actorId === event.subjectId
    ? event
    : { ...event, actorId: null, client: null, network: null, requestId: null }
