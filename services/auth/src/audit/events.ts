import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Uuid } from '@latchkey/service-kit'
import { Type } from 'typebox'
import { EventPage, EventPageQuery, formatEventPage } from './schemas.ts'
import { listEvents } from './store.ts'

const Instant = Type.String({
  // Postgres does not accept every year and every offset of RFC 3339.
  pattern: '^20\\d{2}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,6})?Z$',
  format: 'date-time',
  description: 'a time in UTC such as 2026-11-27T09:30:00Z',
  examples: ['2026-11-27T09:30:00Z'],
})

/** The audit log, for admins and the operator. */
export const eventsRoute: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/admin/events',
    {
      config: { roles: ['admin'] },
      schema: {
        tags: ['admin'],
        operationId: 'listEvents',
        summary: 'Read the audit log, the latest event first',
        querystring: Type.Object(
          {
            subject_id: Type.Optional(Uuid),
            actor_id: Type.Optional(Uuid),
            action: Type.Optional(Type.String({ pattern: '^[a-zA-Z]{1,50}$' })),
            since: Type.Optional(Instant),
            until: Type.Optional(Instant),
            ...EventPageQuery,
          },
          { additionalProperties: false },
        ),
        response: { 200: EventPage },
      },
    },
    async ({ query }) => {
      const { subject_id: subjectId, actor_id: actorId, limit = 50, ...filters } = query
      const filter = { subjectId, actorId, ...filters, limit: limit + 1 }
      return formatEventPage(await listEvents(app.db, filter), limit)
    },
  )
}
