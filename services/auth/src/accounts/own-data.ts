import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction, NoContent, Problem, type Transaction } from '@latchkey/service-kit'
import { Type } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import { EventPage, EventPageQuery, formatEventPage } from '../audit/schemas.ts'
import { insertEvent, listEvents } from '../audit/store.ts'
import { perUser } from '../limits/per-user.ts'
import { authenticatePassword } from '../passwords/authenticate.ts'
import { CurrentPassword } from '../passwords/credentials.ts'
import { checkOpenSession, requireOpenSession } from '../sessions/open-session.ts'
import { sessionEnded } from '../sessions/problems.ts'
import { listSessions } from '../sessions/read-store.ts'
import { formatSession, SessionReply } from '../sessions/schemas.ts'
import { deleteUser, lockWithAdmins } from './delete-store.ts'
import { lastAdmin, wrongPassword } from './problems.ts'
import { formatUser, UserReply } from './schemas.ts'
import { findUserById } from './store.ts'

/** Per user: each export adds an event to the audit log. */
const maxExportsPerMinute = 5

/** Events in one export. The others are in `GET /v1/me/events`. */
const maxExported = 1_000

/** What is stored about the token's user: to read, to take along, and to delete. */
export const ownDataRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { db, passwords } = app
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
    async ({ user, query }) => {
      const { before, limit = 50 } = query
      const rows = await listEvents(db, { subjectId: user.sub, before, limit: limit + 1 })
      return formatEventPage(rows.map(hideOthers), limit)
    },
  )

  app.get(
    '/me/export',
    {
      config: { rateLimit: perUser(maxExportsPerMinute) },
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
      const found = await findUserById(db, user.sub)
      if (!found) throw sessionEnded()
      const sessions = await listSessions(db, user.sub)
      const rows = await listEvents(db, { subjectId: user.sub, limit: maxExported + 1 })
      const { events, next } = formatEventPage(rows.map(hideOthers), maxExported)
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
      const { body, network, user } = request
      const event = describeEvent(request)
      const found = await findUserById(db, user.sub)
      if (!found) throw sessionEnded()
      const guess = { email: found.email, password: body.password, network, event }
      const known = await passwords.admit(network, (hasher) =>
        authenticatePassword(db, hasher, guess),
      )
      if (!known) throw wrongPassword()
      const erase = async (transaction: Transaction) => {
        const lock = { userId: user.sub, sessionId: user.sid }
        const locked = await lockWithAdmins(transaction, lock)
        if (!locked) throw sessionEnded()
        // The password may have been reset since it was verified.
        await checkOpenSession(transaction, user)
        if (locked.isLastAdmin) throw lastAdmin()
        await deleteUser(transaction, user.sub, event)
      }
      await app.revoking(
        () => inTransaction(db, erase),
        () => [],
      )
      return reply.code(204).send(null)
    },
  )
}

/** Users see that an admin or the operator did something, not from where. */
const hideOthers = <T extends { actor: string; actorId: string | null; subjectId: string | null }>(
  event: T,
): T =>
  event.actor === 'user' || event.actor === 'anonymous' || event.actorId === event.subjectId
    ? event
    : { ...event, actorId: null, client: null, network: null, requestId: null }
