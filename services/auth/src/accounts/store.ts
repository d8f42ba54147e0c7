import type { Queryable } from '@latchkey/service-kit'
import type { PoolClient } from 'pg'
import { revokeAll } from '../sessions/store.ts'

/** A user as the user may see it. */
export interface User {
  id: string
  email: string
  scope: string
  roles: string[]
  disabled: boolean
  createdAt: Date
}

const asUser = `
  id, email, scope, roles, disabled_at IS NOT NULL AS disabled, created_at AS "createdAt"`

/** @returns the new user, or `undefined` when the e-mail address has an account already */
export async function create(
  db: Queryable,
  email: string,
  passwordHash: string,
  scope: string,
  network: string,
): Promise<User | undefined> {
  const { rows } = await db.query<User>({
    name: 'user_create',
    text: `
      INSERT INTO users (email, password_hash, scope, registered_from) VALUES ($1, $2, $3, $4)
      ON CONFLICT DO NOTHING
      RETURNING ${asUser}`,
    values: [email, passwordHash, scope, network],
  })
  return rows[0]
}

export async function findById(db: Queryable, id: string): Promise<User | undefined> {
  const { rows } = await db.query<User>({
    name: 'user_find_by_id',
    text: `SELECT ${asUser} FROM users WHERE id = $1`,
    values: [id],
  })
  return rows[0]
}

export async function findByEmail(db: Queryable, email: string): Promise<User | undefined> {
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
 * @param oldVersion the version that was verified
 * @returns the new version, or `undefined` when the password was changed or the user disabled meanwhile
 */
export async function changePassword(
  transaction: PoolClient,
  userId: string,
  passwordHash: string,
  oldVersion: number,
  rememberSeconds: number,
): Promise<number | undefined> {
  const { rows } = await transaction.query<{ version: number }>({
    name: 'user_change_password',
    text: `
      UPDATE users SET password_hash = $2, password_version = password_version + 1
       WHERE id = $1 AND password_version = $3 AND disabled_at IS NULL
      RETURNING password_version AS version`,
    values: [userId, passwordHash, oldVersion],
  })
  if (rows[0] === undefined) return undefined
  await revokeAll(transaction, userId, rememberSeconds)
  return rows[0].version
}

/** What an admin may change of a user; what is left out stays. */
export interface UserChange {
  disabled: boolean | undefined
  roles: string[] | undefined
  scope: string | undefined
}

/**
 * Changes a user and revokes what must not outlive the change: disabling ends the sessions; taking a
 * role or a scope value revokes the tokens issued so far, while the sessions go on.
 *
 * @returns the user, or `undefined` when there is none
 */
export async function change(
  transaction: PoolClient,
  userId: string,
  { disabled, roles, scope }: UserChange,
  rememberSeconds: number,
): Promise<User | undefined> {
  const before = await transaction.query<{ roles: string[]; scope: string }>(
    'SELECT roles, scope FROM users WHERE id = $1 FOR NO KEY UPDATE',
    [userId],
  )
  const [old] = before.rows
  if (!old) return undefined
  if (disabled) await revokeAll(transaction, userId, rememberSeconds)
  const takesRole = roles !== undefined && old.roles.some((role) => !roles.includes(role))
  const granted = scope?.split(' ')
  const takesScope =
    granted !== undefined && old.scope.split(' ').some((value) => value && !granted.includes(value))
  if (takesRole || takesScope) await revokeTokensIssuedSoFar(transaction, userId, rememberSeconds)
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
 * Moves the user's boundary to the next whole second. The caller holds the lock of the user's row, so
 * the clock is read after every login and refresh that came before, and those that come after
 * see the boundary and issue from there. A boundary that lies ahead is waited for, a second at most,
 * so that changes in a row do not move it further than the verifiers' clock tolerance.
 */
async function revokeTokensIssuedSoFar(
  transaction: PoolClient,
  userId: string,
  rememberSeconds: number,
): Promise<void> {
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
      SELECT 'subject', id, tokens_not_before, now() + make_interval(secs => $2) FROM boundary`,
    values: [userId, rememberSeconds],
  })
}
