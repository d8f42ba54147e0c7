import type { Queryable } from '@latchkey/service-kit'
import type { PoolClient } from 'pg'

/** A session and all that a token says of its user, read in the statement that vouches for it. */
export interface Session {
  id: string
  generation: number
  userId: string
  scope: string
  roles: string[]
  /** Postgres' clock at the statement, in seconds: instances with different clocks issue alike. */
  now: number
  /** Tokens of the user with a smaller `iat` are revoked, in seconds. */
  tokensNotBefore: number
}

/** A session as its owner sees it. */
export interface SessionSummary {
  id: string
  userAgent: string | null
  createdAt: Date
  refreshedAt: Date
  expiresAt: Date
}

export interface NewSession {
  userId: string
  /** The password's version that was verified; the session is refused if it has moved since. */
  passwordVersion: number
  ttlSeconds: number
  network: string
  userAgent: string | null
  /** Failure counters that this success settles (see passwords/store.ts). */
  failureKeys: string[]
  /** How long verifiers have to remember a session that this one pushes out, in seconds. */
  rememberSeconds: number
}

/** Open sessions of one user at most; a new one ends the oldest beyond. So that ending all stays quick. */
const maxOpenSessions = 1_000

/** Aliases shared by the statements that vouch for a session. */
const asSession = `
  s.id, s.generation, u.id AS "userId", u.scope, u.roles,
  floor(extract(epoch FROM now()))::int AS now,
  u.tokens_not_before::int AS "tokensNotBefore"`

/**
 * Opens a session for a user whose password was just verified.
 *
 * The user's row is share-locked: whoever disables the user, takes a role away or changes the
 * password meanwhile either comes before (and is seen here) or after (and revokes what we issue).
 *
 * @returns the session, or `undefined` when the user was disabled or the password changed meanwhile
 */
export async function create(db: Queryable, session: NewSession): Promise<Session | undefined> {
  const { rows } = await db.query<Session>({
    name: 'session_create',
    text: `
      WITH u AS (
        SELECT * FROM users
         WHERE id = $1 AND password_version = $2 AND disabled_at IS NULL
           FOR SHARE
      ), s AS (
        INSERT INTO sessions (user_id, expires_at, network, user_agent)
        SELECT id, now() + make_interval(secs => $3), $4, $5 FROM u
        RETURNING *
      ), surplus AS (
        UPDATE sessions SET revoked_at = now()
         WHERE revoked_at IS NULL AND id IN (
           SELECT sessions.id FROM sessions JOIN u ON user_id = u.id
            WHERE revoked_at IS NULL ORDER BY sessions.created_at DESC OFFSET $7)
        RETURNING id
      ), told AS (
        INSERT INTO revocations (kind, id, expires_at)
        SELECT 'session', unnest(ids), now() + make_interval(secs => $8)
          FROM (SELECT array_agg(id) AS ids FROM surplus)
      ), settled AS (
        UPDATE login_failures SET failures = greatest(failures - 1, 0), retry_at = '-infinity'
         WHERE EXISTS (SELECT FROM u) AND key IN (
           SELECT key FROM login_failures WHERE key = ANY ($6) ORDER BY key FOR UPDATE)
      )
      SELECT ${asSession} FROM s, u`,
    values: [
      session.userId,
      session.passwordVersion,
      session.ttlSeconds,
      session.network,
      session.userAgent,
      session.failureKeys,
      maxOpenSessions - 1,
      session.rememberSeconds,
    ],
  })
  return rows[0]
}

/** How a rotation ended; `reused` means that the session has been revoked by it. */
export type Rotation = Session & { reused: boolean }

/**
 * Moves a session to its next generation.
 *
 * One conditional UPDATE decides everything under the session's row lock: of several requests
 * racing with the same token the first moves the generation, the others find it moved and, within
 * the grace, get the generation it moved to; an older generation is reuse (RFC 9700 section
 * 4.14.2) and revokes the session, for verifiers too. Logout serialises on the same row.
 *
 * @param generation the generation the refresh token names
 * @returns the session at its live generation, or `undefined` when it is unknown or has ended
 */
export async function rotate(
  db: Queryable,
  id: string,
  generation: number,
  graceSeconds: number,
  rememberSeconds: number,
): Promise<Rotation | undefined> {
  const { rows } = await db.query<Rotation>({
    name: 'session_rotate',
    text: `
      WITH u AS (
        SELECT users.* FROM users JOIN sessions ON sessions.user_id = users.id
         WHERE sessions.id = $1 AND disabled_at IS NULL
           FOR SHARE OF users
      ), s AS (
        UPDATE sessions
           SET generation = CASE WHEN generation = $2 THEN generation + 1 ELSE generation END,
               refreshed_at = CASE WHEN generation = $2 THEN now() ELSE refreshed_at END,
               revoked_at = CASE
                 WHEN generation > $2 + 1 THEN now()
                 WHEN generation = $2 + 1 AND refreshed_at <= now() - make_interval(secs => $3)
                   THEN now() END
          FROM u
         WHERE sessions.id = $1 AND sessions.user_id = u.id
           AND generation >= $2 AND revoked_at IS NULL AND expires_at > now()
        RETURNING sessions.*
      ), revoked AS (
        INSERT INTO revocations (kind, id, expires_at)
        SELECT 'session', id, now() + make_interval(secs => $4) FROM s WHERE revoked_at IS NOT NULL
      )
      SELECT ${asSession}, s.revoked_at IS NOT NULL AS reused FROM s, u`,
    values: [id, generation, graceSeconds, rememberSeconds],
  })
  return rows[0]
}

/**
 * The roles a token's user has now, if its session is open and its tokens have not been revoked: the auth
 * service's own routes are at the database anyway, and need not wait for any feed.
 */
export async function findRoles(
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

/** The open sessions of a user, the latest used first. */
export async function list(db: Queryable, userId: string): Promise<SessionSummary[]> {
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

/**
 * Ends one session and tells the verifiers, in one statement. Ending it again changes nothing.
 *
 * @param userId whose session it has to be; `undefined` when the caller holds its refresh token
 * @returns whether an open session was ended
 */
export async function revoke(
  db: Queryable,
  id: string,
  userId: string | undefined,
  rememberSeconds: number,
): Promise<boolean> {
  const { rows } = await db.query({
    name: 'session_revoke',
    text: `
      WITH s AS (
        UPDATE sessions SET revoked_at = now()
         WHERE id = $1 AND revoked_at IS NULL AND ($2::uuid IS NULL OR user_id = $2)
        RETURNING id
      )
      INSERT INTO revocations (kind, id, expires_at)
      SELECT 'session', id, now() + make_interval(secs => $3) FROM s
      RETURNING seq`,
    values: [id, userId, rememberSeconds],
  })
  return rows.length > 0
}

/**
 * Ends every session of a user and tells the verifiers.
 *
 * Takes a transaction: the user's row is locked by a statement of its own first. A login or refresh in
 * flight holds a share of it, so its session is committed, and visible to the statement that ends
 * them all, or it comes after the lock and sees what has changed about the user.
 */
export async function revokeAll(
  transaction: PoolClient,
  userId: string,
  rememberSeconds: number,
): Promise<void> {
  await transaction.query('SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE', [userId])
  await transaction.query({
    name: 'session_revoke_all',
    // The array makes the UPDATE end before the first INSERT takes the lock of the numbers. Of a session
    // that has just ended by itself tokens may still live.
    text: `
      WITH s AS (
        UPDATE sessions SET revoked_at = now()
         WHERE user_id = $1 AND revoked_at IS NULL
           AND expires_at > now() - make_interval(secs => $2)
        RETURNING id
      )
      INSERT INTO revocations (kind, id, expires_at)
      SELECT 'session', unnest(ids), now() + make_interval(secs => $2)
        FROM (SELECT array_agg(id) AS ids FROM s)`,
    values: [userId, rememberSeconds],
  })
}

/** Removes sessions a day after their end; until then a user may be told of them. */
export async function forgetOldSessions(db: Queryable): Promise<void> {
  await db.query(`DELETE FROM sessions WHERE expires_at < now() - interval '1 day'`)
}
