// Creates and reads users, and changes passwords.
import { createUuid, type Queryable, type Transaction } from '@latchkey/service-kit'
import { type NewEvent, recordEvent } from '../audit/store.ts'
import { durably } from '../commit.ts'
import { revokeAllSessions } from '../sessions/revoke-store.ts'

/** A user, without the password. */
export interface User {
  id: string
  email: string
  /** Whether the user has typed a code that was mailed to this address. */
  emailVerified: boolean
  displayName: string | null
  /** A language tag (BCP 47), such as `de-AT`. */
  locale: string | null
  scope: string
  roles: string[]
  disabled: boolean
  createdAt: Date
}

export interface NewUser {
  email: string
  passwordHash: string
  scope: string
  roles?: readonly string[]
  network: string
  event: NewEvent
}

/** The columns of a `User`. */
export const asUser = `
  id, email, email_verified_at IS NOT NULL AS "emailVerified", display_name AS "displayName",
  locale, scope, roles, disabled_at IS NOT NULL AS disabled, created_at AS "createdAt"`

/** The SQLSTATE of a value that exists already. */
const uniqueViolation = '23505'

/**
 * Runs a statement that gives a user an address.
 *
 * @returns `undefined` when another user has it or can restore it; a transaction has to be rolled
 *   back
 */
export async function unlessTaken<T>(statement: Promise<T>): Promise<T | undefined> {
  try {
    return await statement
  } catch (err) {
    if ((err as { code?: string }).code === uniqueViolation) return undefined
    throw err
  }
}

/** @returns the new user, or `undefined` when the e-mail address already has an account */
export async function createUser(db: Queryable, user: NewUser): Promise<User | undefined> {
  const statement = db.query<User>({
    name: 'user_create',
    text: `
      INSERT INTO users (id, email, password_hash, scope, roles, registered_from)
      VALUES ($1, $2, $3, $4, $5, $6)
      RETURNING ${asUser}, ${durably}, ${recordEvent('$7', 'id')}`,
    values: [
      createUuid(),
      user.email,
      user.passwordHash,
      user.scope,
      user.roles ?? [],
      user.network,
      user.event,
    ],
  })
  return (await unlessTaken(statement))?.rows[0]
}

export async function findUserById(db: Queryable, id: string): Promise<User | undefined> {
  const { rows } = await db.query<User>({
    name: 'user_find_by_id',
    text: `SELECT ${asUser} FROM users WHERE id = $1`,
    values: [id],
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

interface PasswordChange {
  userId: string
  passwordHash: string
  /** The version of the password that was verified; left out where a mailed code is the proof. */
  oldVersion?: number
  event?: NewEvent
}

/**
 * Sets a new password and ends every session. Tokens are also revoked by subject, so that a recovery
 * can name the user.
 *
 * @returns the new version, or `undefined` when the password was changed or the user disabled
 *   meanwhile
 */
export async function changePassword(
  transaction: Transaction,
  change: PasswordChange,
): Promise<number | undefined> {
  const { rowCount } = await transaction.query({
    name: 'user_lock_password',
    text: `
      SELECT ${durably} FROM users
       WHERE id = $1 AND password_version = coalesce($2, password_version) AND disabled_at IS NULL
         FOR NO KEY UPDATE`,
    values: [change.userId, change.oldVersion],
  })
  if (rowCount === 0) return undefined
  // Before the user: revoking the tokens takes the lock of all revocations, which a logout waits for
  // while it locks its session.
  await revokeAllSessions(transaction, change.userId)
  const { rows } = await transaction.query<{ version: number }>({
    name: 'user_change_password',
    text: `
      UPDATE users
         SET password_hash = $2, password_version = password_version + 1,
             tokens_not_before = greatest(
               tokens_not_before, floor(extract(epoch FROM clock_timestamp())))
       WHERE id = $1
      RETURNING password_version AS version, ${recordEvent('$3', 'id')}`,
    values: [change.userId, change.passwordHash, change.event],
  })
  return rows[0]?.version
}

/** What users may change about themselves; `null` removes it, `undefined` leaves it. */
export interface ProfileChange {
  displayName: string | null | undefined
  locale: string | null | undefined
}

/** @returns the changed user, or `undefined` when there is none */
export async function changeProfile(
  db: Queryable,
  userId: string,
  { displayName, locale, event }: ProfileChange & { event: NewEvent },
): Promise<User | undefined> {
  const { rows } = await db.query<User>({
    name: 'user_change_profile',
    text: `
      UPDATE users
         SET display_name = CASE WHEN $2 THEN $3 ELSE display_name END,
             locale = CASE WHEN $4 THEN $5 ELSE locale END
       WHERE id = $1
      RETURNING ${asUser}, ${durably}, ${recordEvent('$6', 'id')}`,
    values: [userId, displayName !== undefined, displayName, locale !== undefined, locale, event],
  })
  return rows[0]
}

/** Marks the address of a user as verified. */
export async function markEmailVerified(transaction: Transaction, userId: string): Promise<void> {
  await transaction.query({
    name: 'user_verify_email',
    text: 'UPDATE users SET email_verified_at = coalesce(email_verified_at, now()) WHERE id = $1',
    values: [userId],
  })
}

/**
 * Gives a user another address, which the user has proven.
 *
 * @returns `undefined` when the address has an account; the transaction has to be rolled back
 */
export async function changeEmail(
  transaction: Transaction,
  { userId, email, event }: { userId: string; email: string; event: NewEvent },
): Promise<User | undefined> {
  const statement = transaction.query<User>({
    name: 'user_change_email',
    text: `
      UPDATE users SET email = $2, email_verified_at = now() WHERE id = $1
      RETURNING ${asUser}, ${durably}, ${recordEvent('$3', 'id')}`,
    values: [userId, email, event],
  })
  return (await unlessTaken(statement))?.rows[0]
}
