// Writes users and revocations; ends sessions through sessions/revoke-store.ts.
import type { Queryable } from '@latchkey/service-kit'
import type { PoolClient } from 'pg'
import { revocationExpiry } from '../revocation/store.ts'
import { revokeAllSessions } from '../sessions/revoke-store.ts'

/** A user, without the password. */
export interface User {
  id: string
  email: string
  scope: string
  roles: string[]
  disabled: boolean
  createdAt: Date
}

export interface NewUser {
  email: string
  passwordHash: string
  scope: string
  network: string
}

const asUser = `
  id, email, scope, roles, disabled_at IS NOT NULL AS disabled, created_at AS "createdAt"`

/** @returns the new user, or `undefined` when the e-mail address already has an account */
export async function createUser(db: Queryable, user: NewUser): Promise<User | undefined> {
  const { rows } = await db.query<User>({
    name: 'user_create',
    text: `
      INSERT INTO users (email, password_hash, scope, registered_from) VALUES ($1, $2, $3, $4)
      ON CONFLICT DO NOTHING
      RETURNING ${asUser}`,
    values: [user.email, user.passwordHash, user.scope, user.network],
  })
  return rows[0]
}

export async function findUserById(db: Queryable, id: string): Promise<User | undefined> {
  const { rows } = await db.query<User>({
    name: 'user_find_by_id',
    text: `SELECT ${asUser} FROM users WHERE id = $1`,
    values: [id],
  })
  return rows[0]
}

export async function findUserByEmail(db: Queryable, email: string): Promise<User | undefined> {
  const { rows } = await db.query<User>({
    name: 'user_find_by_email',
    text: `SELECT ${asUser} FROM users WHERE lower(email) = lower($1)`,
    values: [email],
  })
  return rows[0]
}

/**
 * Sets a new password and ends every session.
 *
 * @param change.oldVersion the version of the password that was verified
 * @returns the new version, or `undefined` when the password was changed or the user disabled
 *   meanwhile
 */
export async function changePassword(
  transaction: PoolClient,
  change: { userId: string; passwordHash: string; oldVersion: number },
): Promise<number | undefined> {
  const { rows } = await transaction.query<{ version: number }>({
    name: 'user_change_password',
    text: `
      UPDATE users SET password_hash = $2, password_version = password_version + 1
       WHERE id = $1 AND password_version = $3 AND disabled_at IS NULL
      RETURNING password_version AS version`,
    values: [change.userId, change.passwordHash, change.oldVersion],
  })
  if (rows[0] === undefined) return undefined
  await revokeAllSessions(transaction, change.userId)
  return rows[0].version
}

/** What an admin may change about a user; `undefined` changes nothing. */
export interface UserChange {
  disabled: boolean | undefined
  roles: string[] | undefined
  scope: string | undefined
}

/**
 * Changes a user and revokes what must not outlive the change. Disabling ends the sessions.
 * Removing a role or a scope value revokes the tokens issued so far, while the sessions stay open.
 *
 * @returns the user, or `undefined` when there is none
 */
export async function changeUser(
  transaction: PoolClient,
  userId: string,
  { disabled, roles, scope }: UserChange,
): Promise<User | undefined> {
  const before = await transaction.query<{ roles: string[]; scope: string }>(
    'SELECT roles, scope FROM users WHERE id = $1 FOR NO KEY UPDATE',
    [userId],
  )
  const [old] = before.rows
  if (!old) return undefined
  if (disabled) await revokeAllSessions(transaction, userId)
  const removesRole = roles !== undefined && old.roles.some((role) => !roles.includes(role))
  const granted = scope?.split(' ')
  const removesScope =
    granted !== undefined && old.scope.split(' ').some((value) => value && !granted.includes(value))
  if (removesRole || removesScope) await revokeTokensIssuedSoFar(transaction, userId)
  const { rows } = await transaction.query<User>({
    name: 'user_change',
    text: `
      UPDATE users
         SET roles = coalesce($2, roles),
             scope = coalesce($3, scope),
             disabled_at = CASE WHEN $4::boolean IS NULL THEN disabled_at
                                WHEN $4 THEN coalesce(disabled_at, now()) END
       WHERE id = $1
      RETURNING ${asUser}`,
    values: [userId, roles, scope, disabled],
  })
  return rows[0]
}

/**
 * Moves the user's boundary (`tokens_not_before`) to the next whole second.
 *
 * The caller holds the lock of the user's row. So the clock is read after every earlier login and
 * refresh, and later ones see the boundary and issue from there. A boundary in the future is waited
 * for, at most a second, so that several changes in a row do not move it beyond the verifiers'
 * clock tolerance.
 */
async function revokeTokensIssuedSoFar(transaction: PoolClient, userId: string): Promise<void> {
  await transaction.query({
    name: 'user_await_boundary',
    text: `
      SELECT pg_sleep(greatest(0, tokens_not_before - extract(epoch FROM clock_timestamp()))::float8)
        FROM users WHERE id = $1`,
    values: [userId],
  })
  await transaction.query({
    name: 'user_revoke_tokens',
    text: `
      WITH boundary AS (
        UPDATE users SET tokens_not_before = greatest(
                 floor(extract(epoch FROM clock_timestamp()))::bigint, tokens_not_before) + 1
         WHERE id = $1
        RETURNING id, tokens_not_before
      )
      INSERT INTO revocations (kind, id, not_before, expires_at)
      SELECT 'subject', id, tokens_not_before, ${revocationExpiry} FROM boundary`,
    values: [userId],
  })
}
