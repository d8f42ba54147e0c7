// Writes revocations that the database has lost, and recoveries.
import type { Queryable, Transaction } from '@latchkey/service-kit'
import type { RevocationList } from './memory.ts'

/** What a recovery has restored. */
export interface Recovery {
  /** Sessions that were open again and have been ended again. */
  sessions: number
  /** Sessions that were revoked although their row is lost. */
  missingSessions: number
  /** Users whose tokens were revoked again. Their password, roles or ban may be lost. */
  userIds: string[]
}

/** Users that one row of `recoveries` names at most. */
const maxUserIds = 1_000

/**
 * Revokes again what the database has lost, unless another instance has done so.
 *
 * The locks are taken in the order of every other transaction, before anything is written: users,
 * sessions, the lock of the numbers. So the statements below see all that was committed before,
 * and no other instance restores meanwhile.
 */
export async function restoreRevocations(
  transaction: Transaction,
  { sessions, subjects }: RevocationList,
): Promise<Recovery> {
  const sids = sessions.map(([sid]) => sid)
  const subs = subjects.map(([sub]) => sub)
  const lock = (table: string, ids: string[]) =>
    transaction.query(
      `SELECT FROM ${table} WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE`,
      [ids],
    )
  await lock('users', subs)
  await lock('sessions', sids)
  await transaction.query('SELECT pg_advisory_xact_lock(7235419)')
  const boundaries = [subs, subjects.map(([, notBefore]) => notBefore)]
  const moved = await transaction.query<{ id: string }>(
    `UPDATE users SET tokens_not_before = not_before
       FROM unnest($1::uuid[], $2::bigint[]) AS lost (sub, not_before)
      WHERE id = sub AND tokens_not_before < not_before
     RETURNING id`,
    boundaries,
  )
  const ended = await transaction.query(
    'UPDATE sessions SET revoked_at = now() WHERE id = ANY ($1::uuid[]) AND revoked_at IS NULL',
    [sids],
  )
  // A trigger has revoked what has a row. The rest, such as a session opened by a lost login, is
  // revoked here.
  const missing = await transaction.query(
    `INSERT INTO revocations (kind, id, expires_at)
     SELECT 'session', sid, to_timestamp(expires)
       FROM unnest($1::text[], $2::float8[]) AS lost (sid, expires)
      WHERE NOT EXISTS (SELECT FROM revocations WHERE id = sid AND kind = 'session')`,
    [sids, sessions.map(([, expires]) => expires)],
  )
  const unknown = await transaction.query<{ id: string }>(
    `INSERT INTO revocations (kind, id, not_before, expires_at)
     SELECT 'subject', sub, lost.not_before, to_timestamp(expires)
       FROM unnest($1::text[], $2::bigint[], $3::float8[]) AS lost (sub, not_before, expires)
      WHERE NOT EXISTS (
        SELECT FROM revocations AS r
         WHERE r.id = sub AND kind = 'subject' AND r.not_before >= lost.not_before)
     RETURNING id`,
    [...boundaries, subjects.map(([, , expires]) => expires)],
  )
  return {
    sessions: ended.rowCount ?? 0,
    missingSessions: missing.rowCount ?? 0,
    userIds: [...moved.rows, ...unknown.rows].map(({ id }) => id),
  }
}

/** Adds what was restored to the row of a recovery, or creates the row. @returns its ID */
export async function recordRecovery(
  db: Queryable,
  { sessions, missingSessions, userIds }: Recovery,
  { id, instance }: { id: string | undefined; instance: string },
): Promise<string> {
  const counts = [sessions, missingSessions, userIds.length, userIds.slice(0, maxUserIds)]
  const { rows } =
    id === undefined
      ? await db.query<{ id: string }>(
          `INSERT INTO recoveries (sessions, missing_sessions, subjects, user_ids, instance)
           VALUES ($1, $2, $3, $4, $5) RETURNING id`,
          [...counts, instance],
        )
      : await db.query<{ id: string }>(
          `UPDATE recoveries
              SET sessions = sessions + $1, missing_sessions = missing_sessions + $2,
                  subjects = subjects + $3, user_ids = (user_ids || $4)[1:${maxUserIds}]
            WHERE id = $5 RETURNING id`,
          [...counts, id],
        )
  return rows[0]?.id as string
}
