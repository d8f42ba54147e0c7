// Reads sessions and users.
import { isUuid, type Queryable } from '@latchkey/service-kit'
import type { Claims } from '@latchkey/verify'
import { effectiveScope, type Scopes } from './scope.ts'

/** A session as its owner sees it. */
export interface SessionSummary {
  id: string
  parentId: string | null
  clientId: string | null
  userAgent: string | null
  createdAt: Date
  refreshedAt: Date
  expiresAt: Date
}

/**
 * Whether a token's session is open and grants what the token says. The auth service's own routes
 * query the database anyway, and need not wait for a revocation feed.
 *
 * Every service can sign tokens, so a signature proves neither the subject nor the roles. The
 * session must be one of the subject's, the user must have the token's roles, and both its scope.
 */
export async function isOpenSession(
  db: Queryable,
  { sid, sub, iat, roles = [], scope = '' }: Claims,
): Promise<boolean> {
  if (sid === undefined || iat === undefined || !isUuid(sid) || !isUuid(sub)) return false
  const { rows } = await db.query<{ roles: string[] } & Scopes>({
    name: 'session_find_grants',
    text: `
      SELECT roles, users.scope AS "userScope", sessions.scope AS "grantedScope"
        FROM sessions JOIN users ON users.id = user_id
       WHERE sessions.id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > now()
         AND disabled_at IS NULL AND tokens_not_before <= $3::float8`,
    values: [sid, sub, iat],
  })
  const [granted] = rows
  if (!granted) return false
  const scopes = effectiveScope(granted).split(' ')
  return (
    roles.every((role) => granted.roles.includes(role)) &&
    scope.split(' ').every((value) => value === '' || scopes.includes(value))
  )
}

/**
 * The open sessions of a user, the most recently used first and each before those below it: about a
 * thousand at most.
 */
export async function listSessions(db: Queryable, userId: string): Promise<SessionSummary[]> {
  const { rows } = await db.query<SessionSummary>({
    name: 'session_list',
    text: `
      SELECT id, parent_id AS "parentId", client_id AS "clientId", user_agent AS "userAgent",
             created_at AS "createdAt", refreshed_at AS "refreshedAt", expires_at AS "expiresAt"
        FROM sessions
       WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now()
       ORDER BY max(refreshed_at) OVER (PARTITION BY coalesce(parent_id, id)) DESC,
                coalesce(parent_id, id), parent_id NULLS FIRST, refreshed_at DESC`,
    values: [userId],
  })
  return rows
}
