// Reads sessions of browsers, and replaces one by another; locks users. Also moves authorization_codes.
import type { Queryable, Transaction } from '@latchkey/service-kit'
import { durably } from '../commit.ts'

/** An open session of a browser. */
export interface BrowserSession {
  sessionId: string
  userId: string
  email: string
  /** Time since the user proved the password, in seconds. */
  ageSeconds: number
}

/** @returns `undefined` when the session has ended, or the user is disabled */
export async function findBrowserSession(
  db: Queryable,
  sessionId: string,
): Promise<BrowserSession | undefined> {
  const { rows } = await db.query<BrowserSession>({
    name: 'browser_session_find',
    text: `
      SELECT sessions.id AS "sessionId", user_id AS "userId", email,
             extract(epoch FROM now() - sessions.created_at)::float8 AS "ageSeconds"
        FROM sessions JOIN users ON users.id = user_id
       WHERE sessions.id = $1 AND client_id IS NULL AND revoked_at IS NULL AND expires_at > now()
         AND disabled_at IS NULL`,
    values: [sessionId],
  })
  return rows[0]
}

/**
 * Puts a new session in the place of the one that a browser had. The apps of the same user stay
 * signed in, below the new session; those of another user are signed out. If the old session has
 * ended, for instance because the password was changed, nothing moves: its codes stay invalid.
 *
 * @returns the IDs of the sessions that were ended
 */
export async function replaceBrowserSession(
  transaction: Transaction,
  { oldId, newId }: { oldId: string; newId: string },
): Promise<string[]> {
  const ids = [oldId, newId]
  await transaction.query(
    `SELECT ${durably} FROM users
      WHERE id IN (SELECT user_id FROM sessions WHERE sessions.id = ANY ($1)) ORDER BY id
        FOR NO KEY UPDATE`,
    [ids],
  )
  // The new one may be missing already: its user was deleted.
  const open = await transaction.query<{ userId: string }>(
    `SELECT user_id AS "userId" FROM sessions WHERE id = ANY ($1) AND revoked_at IS NULL`,
    [ids],
  )
  if (open.rowCount === 2 && open.rows[0]?.userId === open.rows[1]?.userId) {
    await transaction.query('UPDATE sessions SET parent_id = $2 WHERE parent_id = $1', ids)
    await transaction.query(
      'UPDATE authorization_codes SET session_id = $2 WHERE session_id = $1',
      ids,
    )
  }
  const { rows } = await transaction.query<{ ended: string[] }>(
    'SELECT end_sessions(ARRAY[$1::uuid]) AS ended',
    [oldId],
  )
  return rows[0]?.ended ?? []
}
