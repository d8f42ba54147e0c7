// Opens, rotates and deletes sessions; locks and reads users. A trigger adds the revocations.
import { createUuid, type Queryable } from '@latchkey/service-kit'
import { type NewEvent, recordEvent } from '../audit/store.ts'
import { durably, withoutWaiting } from '../commit.ts'
import { deleteInBatches } from '../delete-in-batches.ts'
import { maxBoundaryLeadSeconds } from '../revocation/store.ts'
import type { Scopes } from './scope.ts'

/** A session with the user data its tokens carry, read in the statement that validates it. */
export interface Session extends Scopes {
  sessionId: string
  generation: number
  userId: string
  roles: string[]
  /** The app that the session belongs to. */
  clientId: string | null
  /** The audiences of an app's tokens; `null`: all. */
  audiences: string[] | null
  /** When the user proved the password, in seconds, in an app's session. */
  authTime: number | null
  /** The `iat` of its tokens, in seconds. */
  issuedAt: number
}

export interface NewSession {
  userId: string
  /** The version of the password that was verified; if it has changed since, no session opens. */
  passwordVersion: number
  ttlSeconds: number
  network: string
  userAgent: string | undefined
  event: NewEvent
}

/**
 * Maximum open sessions per user. One more ends the oldest, which keeps "log out everywhere" fast.
 */
const maxOpenSessions = 1_000

/**
 * SQL that ends the oldest open sessions of a user, so that one more may be opened.
 *
 * @param join SQL that joins the sessions of the user
 */
export const endSurplus = (join: string): string => `
  end_sessions(ARRAY(
    SELECT sessions.id FROM sessions JOIN ${join}
     WHERE sessions.revoked_at IS NULL AND sessions.expires_at > now()
     ORDER BY sessions.created_at DESC OFFSET ${maxOpenSessions - 1})) AS ended`

/**
 * The columns of a `Session`.
 *
 * `iat` is Postgres' clock in whole seconds, and never before the user's latest revocation, which
 * is at most three seconds ahead, within the verifiers' tolerance. So tokens issued before and after
 * it can be told apart, whichever instance issued them. If a failover set the clock back further,
 * `iat` stays three seconds ahead: such a token counts as revoked until the clock has caught up.
 */
export const asSession = `
  s.id AS "sessionId", s.generation, u.id AS "userId", u.scope AS "userScope", u.roles,
  s.scope AS "grantedScope", s.client_id AS "clientId", s.audiences,
  floor(extract(epoch FROM s.auth_time))::float8 AS "authTime",
  least(greatest(floor(extract(epoch FROM now())), u.tokens_not_before),
        floor(extract(epoch FROM now())) + ${maxBoundaryLeadSeconds})::float8 AS "issuedAt"`

/**
 * Opens a session for a user whose password was just verified.
 *
 * The user's row is share-locked. A transaction that disables the user, removes a role or changes
 * the password either commits before this statement, and is seen here, or after it, and revokes the
 * tokens of this session.
 *
 * @returns the session, or `undefined` when the user was disabled or the password changed meanwhile
 */
export async function createSession(
  db: Queryable,
  session: NewSession,
): Promise<Session | undefined> {
  const { rows } = await db.query<Session>({
    name: 'session_create',
    text: `
      WITH u AS (
        SELECT * FROM users
         WHERE id = $1 AND password_version = $2 AND disabled_at IS NULL
           FOR SHARE
      ), s AS (
        INSERT INTO sessions (id, user_id, expires_at, network, user_agent)
        SELECT $6, id, now() + make_interval(secs => $3), $4, $5 FROM u
        RETURNING *
      ), surplus AS MATERIALIZED (
        SELECT ${endSurplus('u ON user_id = u.id')}
      )
      SELECT ${asSession}, ${durably}, ${recordEvent('$7', 's.user_id')} FROM s, u, surplus`,
    values: [
      session.userId,
      session.passwordVersion,
      session.ttlSeconds,
      session.network,
      session.userAgent?.slice(0, 200),
      createUuid(),
      session.event,
    ],
  })
  return rows[0]
}

/** Replaced generations that are remembered: a client does not rotate as often within the grace. */
const maxReplaced = 64

/** The outcome of a rotation. */
export type Rotation = Session & {
  /** The token was replaced longer ago than the grace. The caller has to end the session. */
  reused: boolean
  /** The token was ahead of its row, which has moved forward. */
  recovered: boolean
}

/**
 * Moves a session to its next generation.
 *
 * One conditional UPDATE decides under the session's row lock. Of several requests racing with the
 * same token, the first moves the generation; the others find it moved. A generation that was
 * replaced within the grace gets the current one, however often it has moved since (the last
 * 64 moves are known). An older one is reuse (RFC 9700 section 4.14.2): the caller has to end the
 * session. Logout serialises on the same row.
 *
 * The commit waits neither for the disk nor for a standby. If it is lost, the client has a token
 * whose generation is ahead of the row. Its MAC proves that it was issued, so the row moves forward
 * to it; the generations between count as replaced just now. A session that ends while this
 * statement waits for its lock returns no row, but the lock of the user is a write too. So
 * `synchronous_commit` is set where that lock is taken, not where the result is returned.
 *
 * @returns the session at its current generation, or `undefined` when it is unknown or has ended
 */
export async function rotateSession(
  db: Queryable,
  { sessionId, generation, clientId }: Pick<Session, 'sessionId' | 'generation' | 'clientId'>,
  graceSeconds: number,
): Promise<Rotation | undefined> {
  const { rows } = await db.query<Rotation>({
    name: 'session_rotate',
    text: `
      WITH u AS (
        SELECT users.*, generation AS stored, ${withoutWaiting}
          FROM users JOIN sessions ON sessions.user_id = users.id
         WHERE sessions.id = $1 AND disabled_at IS NULL
           FOR SHARE OF users
      ), s AS (
        UPDATE sessions
           SET generation = greatest(generation, $2 + 1),
               refreshed_at = CASE WHEN generation > $2 THEN refreshed_at ELSE now() END,
               replaced_at = CASE WHEN generation > $2 THEN replaced_at ELSE ARRAY(
                 SELECT t FROM unnest(
                     array_fill(now(), ARRAY[least($2 - generation, ${maxReplaced})])
                     || refreshed_at || replaced_at) AS t
                  WHERE t > now() - make_interval(secs => $3)
                  ORDER BY t DESC LIMIT ${maxReplaced - 1}) END
          FROM u
         WHERE sessions.id = $1 AND sessions.user_id = u.id
           AND client_id IS NOT DISTINCT FROM $4
           AND revoked_at IS NULL AND expires_at > now()
        RETURNING sessions.*
      )
      SELECT ${asSession}, u.stored < $2 AS recovered,
             s.refreshed_at <> now() AND now() - make_interval(secs => $3) >=
               coalesce((s.refreshed_at || s.replaced_at)[s.generation - $2], '-infinity') AS reused
        FROM s, u`,
    values: [sessionId, generation, graceSeconds, clientId],
  })
  const [rotation] = rows
  // Clients share the connection: with answers in the wrong order, one would get another's tokens.
  if (rotation && rotation.sessionId !== sessionId) throw new Error(wrongAnswer)
  return rotation
}

const wrongAnswer = 'the database answered for another session'

/**
 * Deletes sessions a day after they expired. Verifiers may need to be told of them until then. One
 * with others below it is left to the next call: deleting it would delete those too, in an order
 * that can deadlock with the deletion of the user.
 */
export async function deleteExpiredSessions(db: Queryable): Promise<void> {
  const hasNoneBelow = 'NOT EXISTS (SELECT FROM sessions AS c WHERE c.parent_id = sessions.id)'
  await deleteInBatches(db, 'sessions', `expires_at < now() - interval '1 day' AND ${hasNoneBelow}`)
}
