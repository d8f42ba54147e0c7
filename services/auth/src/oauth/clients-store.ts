// Writes and reads clients.
import type { Queryable } from '@latchkey/service-kit'
import { type NewEvent, recordEvent } from '../audit/store.ts'
import { durably } from '../commit.ts'

/** An app that people sign in to (RFC 6749 section 2). */
export interface OAuthClient {
  id: string
  /** A confidential client authenticates with the key that is derived from its ID. */
  kind: 'confidential' | 'public'
  redirectUris: string[]
  postLogoutUris: string[]
  /** The audiences (`aud`) of its access tokens, at most. */
  audiences: string[]
  /** What it may ask for. */
  scope: string
  disabled: boolean
  createdAt: Date
}

/** The columns of an `OAuthClient`. */
const asClient = `
  id, kind, redirect_uris AS "redirectUris", post_logout_uris AS "postLogoutUris", audiences, scope,
  disabled_at IS NOT NULL AS disabled, created_at AS "createdAt"`

/** @returns the client, also if it is disabled */
export async function findOAuthClient(db: Queryable, id: string): Promise<OAuthClient | undefined> {
  const { rows } = await db.query<OAuthClient>({
    name: 'client_find',
    text: `SELECT ${asClient} FROM clients WHERE id = $1`,
    values: [id],
  })
  return rows[0]
}

/** Lists all clients, in the order of their IDs: a team has few. */
export async function listOAuthClients(db: Queryable): Promise<OAuthClient[]> {
  const { rows } = await db.query<OAuthClient>(`SELECT ${asClient} FROM clients ORDER BY id`)
  return rows
}

/** Adds a client, or changes the one with this ID. */
export async function putOAuthClient(
  db: Queryable,
  client: Omit<OAuthClient, 'disabled' | 'createdAt'>,
  event: NewEvent,
): Promise<OAuthClient> {
  const { rows } = await db.query<OAuthClient>(
    `INSERT INTO clients (id, kind, redirect_uris, post_logout_uris, audiences, scope)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (id) DO UPDATE
        SET kind = excluded.kind, redirect_uris = excluded.redirect_uris,
            post_logout_uris = excluded.post_logout_uris, audiences = excluded.audiences,
            scope = excluded.scope
     RETURNING ${asClient}, ${durably}, ${recordEvent('$7', 'NULL::uuid')}`,
    [
      client.id,
      client.kind,
      client.redirectUris,
      client.postLogoutUris,
      client.audiences,
      client.scope,
      event,
    ],
  )
  return rows[0] as OAuthClient
}

/** @returns the changed client, or `undefined` when there is none */
export async function setOAuthClientDisabled(
  db: Queryable,
  { id, disabled }: Pick<OAuthClient, 'id' | 'disabled'>,
  event: NewEvent,
): Promise<OAuthClient | undefined> {
  const { rows } = await db.query<OAuthClient>(
    `UPDATE clients SET disabled_at = CASE WHEN $2 THEN coalesce(disabled_at, now()) END
      WHERE id = $1
     RETURNING ${asClient}, ${durably}, ${recordEvent('$3', 'NULL::uuid')}`,
    [id, disabled, event],
  )
  return rows[0]
}
