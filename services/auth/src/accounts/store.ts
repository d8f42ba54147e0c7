// Creates and reads users, and changes passwords.
import { createUuid, type Queryable, type Transaction } from '@latchkey/service-kit'
import { durably } from '../commit.ts'
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

/** The columns of a `User`. */
export const asUser = `
  id, email, scope, roles, disabled_at IS NOT NULL AS disabled, created_at AS "createdAt"`

/** @returns the new user, or `undefined` when the e-mail address already has an account */
export async function createUser(db: Queryable, user: NewUser): Promise<User | undefined> {
  const { rows } = await db.query<User>({
    name: 'user_create',
    text: `
      INSERT INTO users (id, email, password_hash, scope, registered_from)
      VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT DO NOTHING
      RETURNING ${asUser}, ${durably}`,
    values: [createUuid(), user.email, user.passwordHash, user.scope, user.network],
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

/** The e-mail addresses of users, by ID; without those who have no account. */
export async function findEmails(db: Queryable, ids: string[]): Promise<Map<string, string>> {
  const { rows } = await db.query<{ id: string; email: string }>(
    'SELECT id, email FROM users WHERE id = ANY ($1::uuid[])',
    [ids],
  )
  return new Map(rows.map(({ id, email }) => [id, email]))
}

/**
 * Sets a new password and ends every session. Tokens are also revoked by subject, so that a recovery
 * can name the user.
 *
 * @param change.oldVersion the version of the password that was verified
 * @returns the new version, or `undefined` when the password was changed or the user disabled
 *   meanwhile
 */
export async function changePassword(
  transaction: Transaction,
  change: { userId: string; passwordHash: string; oldVersion: number },
): Promise<number | undefined> {
  const { rows } = await transaction.query<{ version: number }>({
    name: 'user_change_password',
    text: `
      UPDATE users
         SET password_hash = $2, password_version = password_version + 1,
             tokens_not_before = greatest(
               tokens_not_before, floor(extract(epoch FROM clock_timestamp())))
       WHERE id = $1 AND password_version = $3 AND disabled_at IS NULL
      RETURNING password_version AS version, ${durably}`,
    values: [change.userId, change.passwordHash, change.oldVersion],
  })
  if (rows[0] === undefined) return undefined
  await revokeAllSessions(transaction, change.userId)
  return rows[0].version
}
