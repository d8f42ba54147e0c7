// Writes authorization_codes, and opens sessions below others; locks users. Reads clients.
import { createHash, randomBytes } from 'node:crypto'
import { createUuid, type Queryable } from '@latchkey/service-kit'
import { type NewEvent, recordEvent } from '../audit/store.ts'
import { durably, withoutStandby } from '../commit.ts'
import { deleteInBatches } from '../delete-in-batches.ts'
import { asSession, endSurplus, type Session } from '../sessions/store.ts'
import type { AuthorizationRequest } from './authorization-request.ts'

/** How long a code is valid, in seconds: at most ten minutes (RFC 6749 section 4.1.2). */
const codeTtlSeconds = 60

const hashCode = (code: string) => createHash('sha256').update(code).digest()

/**
 * Issues an authorization code for an open session of a browser. The session is locked, so that it
 * cannot be deleted before the code that refers to it is stored.
 *
 * @returns `undefined` when the session has ended, or the client was disabled or may no longer ask
 *   for so much
 */
export async function createCode(
  db: Queryable,
  sessionId: string,
  request: AuthorizationRequest,
): Promise<string | undefined> {
  const code = randomBytes(32).toString('base64url')
  const { rowCount } = await db.query({
    name: 'authorization_code_create',
    text: `
      INSERT INTO authorization_codes
             (code_hash, session_id, client_id, redirect_uri, code_challenge, nonce, audiences,
              scope, expires_at)
      SELECT $1, sessions.id, clients.id, $4, $5, $6, coalesce($7, clients.audiences), $8,
             now() + interval '${codeTtlSeconds} seconds'
        FROM sessions JOIN users ON users.id = user_id, clients
       WHERE sessions.id = $2 AND client_id IS NULL AND revoked_at IS NULL
         AND sessions.expires_at > now() AND users.disabled_at IS NULL
         AND clients.id = $3 AND clients.disabled_at IS NULL
         AND coalesce($7, clients.audiences) <@ clients.audiences
         AND string_to_array($8, ' ') <@ string_to_array(clients.scope, ' ')
         FOR KEY SHARE OF sessions
      RETURNING ${withoutStandby}`,
    values: [
      hashCode(code),
      sessionId,
      request.clientId,
      request.redirectUri,
      request.codeChallenge,
      request.nonce,
      request.audiences,
      request.scope,
    ],
  })
  return rowCount === 1 ? code : undefined
}

/** What a client presents to get the tokens (RFC 6749 section 4.1.3). */
export interface Redemption {
  code: string
  clientId: string
  redirectUri: string
  /** Computed from the verifier (RFC 7636 section 4.6). */
  codeChallenge: string
}

/** A session that a code has opened. */
export type RedeemedSession = Session & { nonce: string | null }

/**
 * Redeems a code: opens the app's session below the browser's. One statement.
 *
 * The user is locked first, as by whatever ends a session, so no session is opened below one that
 * has ended. Of several requests with one code the UPDATE lets one through. The app's session counts
 * as one of the user's: the oldest may end, but not the browser's. Network and client are those of
 * the browser: the request comes from the app's server.
 *
 * @returns `undefined` when the code is unknown, expired, used, or not for this request, or the
 *   browser's session has ended
 */
export async function redeemCode(
  db: Queryable,
  { code, clientId, redirectUri, codeChallenge }: Redemption,
  event: NewEvent,
): Promise<RedeemedSession | undefined> {
  const { rows } = await db.query<RedeemedSession>({
    name: 'authorization_code_redeem',
    text: `
      WITH u AS (
        SELECT users.*
          FROM authorization_codes JOIN sessions ON sessions.id = session_id
               JOIN users ON users.id = user_id
         WHERE code_hash = $1 AND redeemed_as IS NULL AND disabled_at IS NULL
           FOR NO KEY UPDATE OF users
      ), p AS (
        SELECT sessions.*
          FROM authorization_codes JOIN sessions ON sessions.id = session_id
               JOIN u ON u.id = user_id
         WHERE code_hash = $1 AND revoked_at IS NULL AND sessions.expires_at > now()
           FOR SHARE OF sessions
      ), c AS (
        UPDATE authorization_codes SET redeemed_as = $5
          FROM p
         WHERE code_hash = $1 AND session_id = p.id AND authorization_codes.client_id = $2
           AND redirect_uri = $3 AND code_challenge = $4
           AND redeemed_as IS NULL AND authorization_codes.expires_at > now()
        RETURNING authorization_codes.*
      ), s AS (
        INSERT INTO sessions (id, user_id, parent_id, client_id, audiences, scope, auth_time,
                              expires_at, network, user_agent)
        SELECT $5, p.user_id, p.id, c.client_id, c.audiences, c.scope, p.created_at,
               p.expires_at, p.network, p.user_agent
          FROM c, p
        RETURNING *
      ), surplus AS MATERIALIZED (
        SELECT ${endSurplus('p ON sessions.user_id = p.user_id AND sessions.id <> p.id, c')}
      )
      SELECT ${asSession}, c.nonce, ${durably}, ${recordEvent('$6', 's.user_id')}
        FROM s, u, c, surplus`,
    values: [hashCode(code), clientId, redirectUri, codeChallenge, createUuid(), event],
  })
  return rows[0]
}

/** @returns the open session that a client has got for a code */
export async function findRedeemedSession(
  db: Queryable,
  { code, clientId }: Pick<Redemption, 'code' | 'clientId'>,
): Promise<string | undefined> {
  const { rows } = await db.query<{ id: string }>({
    name: 'authorization_code_find_redeemed',
    text: `
      SELECT sessions.id FROM authorization_codes JOIN sessions ON sessions.id = redeemed_as
       WHERE code_hash = $1 AND authorization_codes.client_id = $2 AND revoked_at IS NULL`,
    values: [hashCode(code), clientId],
  })
  return rows[0]?.id
}

/** Deletes codes an hour after they expired. Until then, one that is used twice is recognized. */
export const deleteExpiredAuthorizationCodes = (db: Queryable): Promise<void> =>
  deleteInBatches(db, 'authorization_codes', `expires_at < now() - interval '1 hour'`)
