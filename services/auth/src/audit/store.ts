// Adds and reads audit events. Triggers refuse to change them.
import type { Queryable, Transaction } from '@latchkey/service-kit'
import { withoutStandby } from '../commit.ts'
import { deleteInBatches } from '../delete-in-batches.ts'

/** Who causes an event: `user` is its subject, `anonymous` has proven nothing. */
type Actor = 'anonymous' | 'user' | 'admin' | 'operator' | 'auth'

/** An event, as `record_event` of the database stores it. Without secrets, codes and addresses. */
export interface NewEvent {
  /** The `operationId` of the API call that causes it. */
  action: string
  result?: 'ok' | 'refused'
  actor: Actor
  /** The admin. A user is the subject of the event. */
  actor_id?: string | undefined
  /** The `User-Agent`. */
  client?: string | undefined
  network?: string
  request_id?: string
  detail?: object | undefined
}

/**
 * SQL that adds an event for each row of the outermost SELECT or RETURNING, in the transaction of
 * what it records.
 *
 * @param event the parameter with a `NewEvent`, such as `$3`
 * @param subject SQL of the ID of the user concerned
 */
export const recordEvent = (event: `$${number}`, subject: string): string =>
  `record_event(${event}::jsonb, ${subject}) AS event`

/** Adds an event that changes nothing else, such as a refused login. Not in a transaction. */
export async function insertEvent(
  db: Queryable,
  event: NewEvent,
  subjectId: string | null,
): Promise<void> {
  await db.query({
    name: 'event_insert',
    text: `SELECT ${recordEvent('$1', '$2::uuid')}, ${withoutStandby}`,
    values: [event, subjectId],
  })
}

/** Adds an event to a transaction, which decides how durable it is. */
export async function addEvent(
  transaction: Transaction,
  event: NewEvent,
  subjectId: string,
): Promise<void> {
  await transaction.query({
    name: 'event_add',
    text: `SELECT ${recordEvent('$1', '$2::uuid')}`,
    values: [event, subjectId],
  })
}

/** An event that happened. */
export interface AuditEvent {
  /** Later events have larger numbers. */
  id: string
  occurredAt: Date
  action: string
  result: string
  actor: Actor
  actorId: string | null
  subjectId: string | null
  client: string | null
  network: string | null
  requestId: string | null
  detail: object | null
}

/** Which events to list, the latest first. */
export interface EventFilter {
  subjectId?: string | undefined
  actorId?: string | undefined
  action?: string | undefined
  since?: string | undefined
  until?: string | undefined
  /** The last event of the page before. */
  before?: string | undefined
  limit: number
}

/** The start of a transaction is the time of its events, which are numbered later. */
const longestTransaction = `interval '10 seconds'`

/** The condition that each filter adds. The bounds by number let an index end the search. */
const conditions: Readonly<Record<Exclude<keyof EventFilter, 'limit'>, (value: string) => string>> =
  {
    subjectId: (value) => `subject_id = ${value}::uuid`,
    actorId: (value) => `actor_id = ${value}::uuid`,
    action: (value) => `action = ${value}`,
    since: (value) => `occurred_at >= ${value} AND id >= coalesce((
      SELECT id FROM audit_events WHERE occurred_at >= ${value}::timestamptz - ${longestTransaction}
       ORDER BY occurred_at LIMIT 1), 0)`,
    until: (value) => `occurred_at <= ${value} AND id <= coalesce((
      SELECT id FROM audit_events WHERE occurred_at >= ${value}::timestamptz + ${longestTransaction}
       ORDER BY occurred_at LIMIT 1), 9223372036854775807)`,
    before: (value) => `id < ${value}::bigint`,
  }

/** Lists events, the latest first. */
export async function listEvents(db: Queryable, filter: EventFilter): Promise<AuditEvent[]> {
  const { limit, ...filters } = filter
  const used = Object.entries(filters).filter(([, value]) => value !== undefined)
  const where = used.map(([name], index) =>
    conditions[name as keyof typeof conditions](`$${index + 2}`),
  )
  const { rows } = await db.query<AuditEvent>(
    `SELECT id::text, occurred_at AS "occurredAt", action, result, actor, actor_id AS "actorId",
            subject_id AS "subjectId", client, host(network) AS network,
            request_id AS "requestId", detail
       FROM audit_events ${where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`}
      ORDER BY audit_events.id DESC LIMIT $1`,
    [limit, ...used.map(([, value]) => value)],
  )
  return rows
}

/** Deletes events after the configured retention; the database keeps them for 30 days at least. */
export async function deleteOldEvents(db: Queryable, retentionDays: number): Promise<void> {
  await deleteInBatches(
    db,
    'audit_events',
    `occurred_at < now() - interval '${Math.max(retentionDays, 30)} days' - interval '1 minute'`,
  )
}

/** Events per statement: few enough to finish within its time limit on slow storage. */
const batchSize = 500

/** Removes the network and the client from the events of deleted users. */
export async function erasePersonalData(db: Queryable): Promise<void> {
  const { rows } = await db.query<{ id: string }>('SELECT id FROM erased_users LIMIT 100')
  for (const { id } of rows) {
    for (const column of ['subject_id', 'actor_id']) await eraseEvents(db, column, id)
    await db.query('DELETE FROM erased_users WHERE id = $1', [id])
  }
}

async function eraseEvents(db: Queryable, column: string, userId: string): Promise<void> {
  let erased: number | null
  do {
    const result = await db.query(
      `UPDATE audit_events SET network = NULL, client = NULL WHERE id = ANY (ARRAY(
         SELECT id FROM audit_events
          WHERE ${column} = $1 AND (network IS NOT NULL OR client IS NOT NULL)
          LIMIT ${batchSize}))`,
      [userId],
    )
    erased = result.rowCount
  } while (erased === batchSize)
}
