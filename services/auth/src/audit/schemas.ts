import { type Static, Type } from 'typebox'
import type { AuditEvent } from './store.ts'

/** A member that may have no value. */
const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()])

/** A page of events, the latest first. */
export const EventPageQuery = {
  before: Type.Optional(
    Type.String({
      pattern: '^\\d{1,18}$',
      description: 'the number of an event; the page has those before it',
    }),
  ),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
}

const EventReply = Type.Object(
  {
    id: Type.String({ description: 'Later events have larger numbers.' }),
    occurred_at: Type.String({ format: 'date-time' }),
    action: Type.String({ description: 'The operationId of the API call.' }),
    result: Type.Union([Type.Literal('ok'), Type.Literal('refused')]),
    actor: Type.String({
      description:
        'Who caused it: `user` (the subject), `admin`, `operator` (the command latchkey), ' +
        '`auth`, or `anonymous` (nobody who had logged in).',
    }),
    actor_id: Nullable(Type.String({ format: 'uuid' })),
    subject_id: Nullable(Type.String({ format: 'uuid' })),
    client: Nullable(Type.String({ description: 'The User-Agent of the request.' })),
    network: Nullable(Type.String({ description: 'The IPv4 address, or the IPv6 /64.' })),
    request_id: Nullable(Type.String()),
    detail: Nullable(Type.Object({}, { additionalProperties: true })),
  },
  { title: 'AuditEvent' },
)

export const EventPage = Type.Object({
  events: Type.Array(EventReply),
  next: Nullable(Type.String({ description: 'Pass it as `before` to get the next page.' })),
})

const formatEvent = (event: AuditEvent): Static<typeof EventReply> => ({
  id: event.id,
  occurred_at: event.occurredAt.toISOString(),
  action: event.action,
  result: event.result === 'refused' ? 'refused' : 'ok',
  actor: event.actor,
  actor_id: event.actorId,
  subject_id: event.subjectId,
  client: event.client,
  network: event.network,
  request_id: event.requestId,
  detail: event.detail,
})

/** Formats a page that was read with one row more than it may have. */
export function formatEventPage(rows: AuditEvent[], limit: number): Static<typeof EventPage> {
  const events = rows.slice(0, limit).map(formatEvent)
  return { events, next: rows.length > limit ? (events.at(-1)?.id ?? null) : null }
}
