// Ends sessions; locks users. A trigger adds the revocations.
import { type Queryable, type Transaction, uuidTime } from '@latchkey/service-kit'
import { addEvent, type NewEvent } from '../audit/store.ts'
import { durably } from '../commit.ts'
import { revocationRetentionSeconds } from '../revocation/store.ts'

/** The session to end. */
export interface EndedSession {
  sessionId: string
  /** Its owner; left out when the caller presented its refresh token. */
  userId?: string
  /** The client that it must belong to; left out when any may. */
  clientId?: string
  event: NewEvent
}

/**
 * Ends and revokes a session and those below it: one statement.
 *
 * The user's row is locked first. Whatever opens a session locks it too, so no session is opened
 * below one that has ended. The lock is a write: if no standby has confirmed an earlier request that
 * ended the session, this one waits for the confirmation too.
 *
 * @returns the IDs of the sessions that were open, which one of several racing requests is told;
 *   `undefined` when there is no such session
 */
export async function revokeSession(
  db: Queryable,
  { sessionId, userId, clientId, event }: EndedSession,
): Promise<{ ended: string[] } | undefined> {
  const { rows } = await db.query<{ ended: string[] }>({
    name: 'session_revoke',
    text: `
      WITH u AS (
        SELECT users.id FROM users JOIN sessions ON sessions.user_id = users.id
         WHERE sessions.id = $1 AND ($2::uuid IS NULL OR user_id = $2)
           AND ($3::text IS NULL OR client_id = $3)
           FOR NO KEY UPDATE OF users
      ), e AS MATERIALIZED (
        SELECT id, end_sessions(ARRAY[$1::uuid]) AS ended FROM u
      )
      SELECT ended, ${durably}, CASE WHEN $1 = ANY (ended) THEN record_event($4::jsonb, id) END
        FROM e`,
    values: [sessionId, userId, clientId, event],
  })
  return rows[0]
}

/** A session whose row is missing, although it was not deleted, which would have revoked it. */
const isMissing = `
  NOT EXISTS (SELECT FROM sessions WHERE id = $1::uuid)
  AND NOT EXISTS (SELECT FROM revocations WHERE id = $1::text)`

/**
 * Revokes a session whose row the database has lost. Only for a session that its refresh token
 * names: every verifier can sign access tokens, for invented sessions too.
 *
 * @param session.maxAgeSeconds the row of an older session has been deleted
 */
export async function revokeLostSession(
  db: Queryable,
  { sessionId, maxAgeSeconds }: { sessionId: string; maxAgeSeconds: number },
): Promise<void> {
  if (!isYounger(sessionId, maxAgeSeconds)) return
  await db.query({
    name: 'session_revoke_lost',
    text: `
      INSERT INTO revocations (kind, id, expires_at)
      SELECT 'session', $1::text, now() + interval '${revocationRetentionSeconds} seconds'
       WHERE ${isMissing}`,
    values: [sessionId],
  })
}

/** By the time in its ID, which this service has made. */
const isYounger = (sessionId: string, seconds: number): boolean =>
  Date.now() - uuidTime(sessionId) < seconds * 1_000

/**
 * Whether the database has lost a session: its row is missing, and its ID says that it was opened
 * so recently that deleting it would have left a revocation.
 */
export async function isLostSession(db: Queryable, sessionId: string): Promise<boolean> {
  if (!isYounger(sessionId, revocationRetentionSeconds)) return false
  const { rows } = await db.query({
    name: 'session_find_lost',
    text: `SELECT WHERE ${isMissing}`,
    values: [sessionId],
  })
  return rows.length > 0
}

/**
 * Ends and revokes every session of a user.
 *
 * Requires a transaction, because a separate statement locks the user's row first. A concurrent
 * login or refresh holds a share lock on that row. Either it commits before, and the second
 * statement sees and ends its session, or it waits for the lock and sees what has changed about the
 * user.
 *
 * @returns the IDs of the sessions
 */
export async function revokeAllSessions(
  transaction: Transaction,
  userId: string,
): Promise<string[]> {
  await transaction.query(`SELECT ${durably} FROM users WHERE id = $1 FOR NO KEY UPDATE`, [userId])
  const { rows } = await transaction.query<{ id: string }>({
    name: 'session_revoke_all',
    // Sessions that expired recently are included: their tokens may still be valid.
    text: `
      UPDATE sessions SET revoked_at = now()
       WHERE user_id = $1 AND revoked_at IS NULL
         AND expires_at > now() - interval '${revocationRetentionSeconds} seconds'
      RETURNING id`,
    values: [userId],
  })
  return rows.map(({ id }) => id)
}

/** Ends and revokes every session of a user, and records why. @returns the IDs of the sessions */
export async function endAllSessions(
  transaction: Transaction,
  userId: string,
  event: NewEvent,
): Promise<string[]> {
  const ids = await revokeAllSessions(transaction, userId)
  await addEvent(transaction, { ...event, detail: { sessions: ids.length } }, userId)
  return ids
}

/** Sessions of one statement: few enough to finish within its time limit on slow storage. */
const batchSize = 500

/**
 * Sessions that are open, or whose tokens may still be valid. $1: those that a login until this time
 * has opened. An app's session may be younger than the login, which is its `auth_time`.
 */
const openUntil = `
  revoked_at IS NULL AND least(created_at, auth_time) <= coalesce($1::timestamptz, now())
  AND expires_at > now() - interval '${revocationRetentionSeconds} seconds'`

/**
 * Counts the sessions that are open, or whose tokens may still be valid.
 *
 * @param until count only those opened until then; default: now
 * @returns `asOf`, to pass as `until`
 */
export async function countOpenSessions(
  db: Queryable,
  until?: string,
): Promise<{ count: number; asOf: string }> {
  const { rows } = await db.query<{ count: number; asOf: string }>(
    `SELECT count(*)::int AS count, coalesce($1::timestamptz, now())::text AS "asOf"
       FROM sessions WHERE ${openUntil}`,
    [until],
  )
  return rows[0] as { count: number; asOf: string }
}

/**
 * Ends and revokes some of the sessions that `countOpenSessions` counts. It skips those whose rows
 * are locked, so that it cannot deadlock with a logout.
 *
 * @returns how many
 */
export async function revokeOpenSessions(db: Queryable, until: string): Promise<number> {
  const { rowCount } = await db.query(
    `UPDATE sessions SET revoked_at = now() WHERE id = ANY (ARRAY(
       SELECT id FROM sessions WHERE ${openUntil}
        ORDER BY user_id, created_at LIMIT ${batchSize} FOR UPDATE SKIP LOCKED))`,
    [until],
  )
  return rowCount ?? 0
}
