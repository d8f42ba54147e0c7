// Writes revocations that the database has lost.
import { isUuid, type Transaction } from '@latchkey/service-kit'
import type { RevocationList } from './memory.ts'

/** What was restored. */
export interface Restored {
  /** Sessions that were open again and have been ended again. */
  sessions: number
  /** Sessions that were revoked although their row is lost. */
  missingSessions: number
  /** Users whose tokens were revoked again. Their password, roles or ban may be lost. */
  userIds: string[]
}

/**
 * Revokes again what the database has lost, unless another instance has done so.
 *
 * The locks are taken in the order of every other transaction, before anything is written: users,
 * also those of the sessions, sessions, the lock of the numbers. So the statements below see all
 * that was committed before, and no other instance restores meanwhile.
 *
 * What has expired meanwhile is not revoked again, but its session ends and its boundary moves. An
 * ID that is not a UUID was revoked with SQL, and has no row in another table.
 */
export async function restoreRevocations(
  transaction: Transaction,
  { sessions, subjects }: RevocationList,
): Promise<Restored> {
  const sids = sessions.map(([sid]) => sid)
  const subs = subjects.map(([sub]) => sub)
  const knownSids = sids.filter(isUuid)
  const knownSubjects = subjects.filter(([sub]) => isUuid(sub))
  const knownSubs = knownSubjects.map(([sub]) => sub)
  await transaction.query(
    `SELECT FROM users
      WHERE id IN (SELECT unnest($1::uuid[])
                    UNION SELECT user_id FROM sessions WHERE id = ANY ($2::uuid[]))
      ORDER BY id FOR NO KEY UPDATE`,
    [knownSubs, knownSids],
  )
  await transaction.query(
    `SELECT FROM sessions WHERE id = ANY ($1::uuid[]) OR parent_id = ANY ($1)
      ORDER BY id FOR NO KEY UPDATE`,
    [knownSids],
  )
  await transaction.query('SELECT pg_advisory_xact_lock(7235419)')
  const moved = await transaction.query<{ id: string }>(
    `UPDATE users SET tokens_not_before = not_before
       FROM unnest($1::uuid[], $2::bigint[]) AS lost (sub, not_before)
      WHERE id = sub AND tokens_not_before < not_before
     RETURNING id`,
    [knownSubs, knownSubjects.map(([, notBefore]) => notBefore)],
  )
  // With those of apps that were opened below them since the database lost the logout.
  const ended = await transaction.query('SELECT unnest(end_sessions($1::uuid[]))', [knownSids])
  // A trigger has revoked what has a row. The rest, such as a session opened by a lost login, is
  // revoked here.
  const missing = await transaction.query(
    `INSERT INTO revocations (kind, id, expires_at)
     SELECT 'session', sid, to_timestamp(expires)
       FROM unnest($1::text[], $2::float8[]) AS lost (sid, expires)
      WHERE to_timestamp(expires) > now()
        AND NOT EXISTS (SELECT FROM revocations WHERE id = sid AND kind = 'session')`,
    [sids, sessions.map(([, expires]) => expires)],
  )
  const unknown = await transaction.query<{ id: string }>(
    `INSERT INTO revocations (kind, id, not_before, expires_at)
     SELECT 'subject', sub, lost.not_before, to_timestamp(expires)
       FROM unnest($1::text[], $2::bigint[], $3::float8[]) AS lost (sub, not_before, expires)
      WHERE to_timestamp(expires) > now() AND NOT EXISTS (
        SELECT FROM revocations AS r
         WHERE r.id = sub AND kind = 'subject' AND r.not_before >= lost.not_before)
     RETURNING id`,
    [subs, subjects.map(([, notBefore]) => notBefore), subjects.map(([, , expires]) => expires)],
  )
  return {
    sessions: ended.rowCount ?? 0,
    missingSessions: missing.rowCount ?? 0,
    userIds: [...moved.rows, ...unknown.rows].map(({ id }) => id),
  }
}
