// Reads sessions and users.
import type { Queryable } from '@latchkey/service-kit'

/** A session as its owner sees it. */
export interface SessionSummary {
  id: string
  userAgent: string | null
  createdAt: Date
  refreshedAt: Date
  expiresAt: Date
}

/**
 * The current roles of a token's user, if the session is open and the token not revoked. The auth
 * service's own routes query the database anyway, and need not wait for a revocation feed.
 *
 * @param issuedAt the token's `iat`, in seconds
 */
export async function findRolesOfOpenSession(
  db: Queryable,
  sessionId: string,
  issuedAt: number,
): Promise<string[] | undefined> {
  const { rows } = await db.query<{ roles: string[] }>({
    name: 'session_find_roles',
    text: `
      SELECT roles FROM sessions JOIN users ON users.id = user_id
       WHERE sessions.id = $1 AND revoked_at IS NULL AND expires_at > now()
         AND disabled_at IS NULL AND tokens_not_before <= $2`,
    values: [sessionId, issuedAt],
  })
  return rows[0]?.roles
}

/** The open sessions of a user, the most recently used first. */
export async function listSessions(db: Queryable, userId: string): Promise<SessionSummary[]> {
  const { rows } = await db.query<SessionSummary>({
    name: 'session_list',
    text: `
      SELECT id, user_agent AS "userAgent", created_at AS "createdAt",
             refreshed_at AS "refreshedAt", expires_at AS "expiresAt"
        FROM sessions
       WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now()
       ORDER BY refreshed_at DESC
       LIMIT 100`,
    values: [userId],
  })
  return rows
}
