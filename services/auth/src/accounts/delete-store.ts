// Locks and deletes users. Triggers revoke their sessions and tokens.
import type { Transaction } from '@latchkey/service-kit'
import { type NewEvent, recordEvent } from '../audit/store.ts'
import { durably } from '../commit.ts'

/** A user whose row is locked. */
export interface LockedUser {
  id: string
  email: string
  roles: string[]
  scope: string
  isLastAdmin: boolean
}

/**
 * Locks all that a change of a user by an admin, or the deletion of one, depends on: the user, every
 * admin, and the caller's session. The caller cannot be disabled, nor the session ended, before the
 * change is committed. All such changes lock users in the order of their IDs, so that they cannot
 * deadlock.
 *
 * @returns the user, or `undefined` when there is none
 */
export async function lockWithAdmins(
  transaction: Transaction,
  { userId, sessionId }: { userId: string; sessionId: string | undefined },
): Promise<LockedUser | undefined> {
  const { rows } = await transaction.query<LockedUser & { isAdmin: boolean }>({
    name: 'user_lock_with_admins',
    text: `
      SELECT id, email, roles, scope,
             'admin' = ANY (roles) AND disabled_at IS NULL AS "isAdmin", ${durably}
        FROM users WHERE id = $1 OR 'admin' = ANY (roles) ORDER BY id FOR NO KEY UPDATE`,
    values: [userId],
  })
  await transaction.query('SELECT FROM sessions WHERE id = $1 FOR SHARE', [sessionId])
  const user = rows.find(({ id }) => id === userId)
  const isLastAdmin = user?.isAdmin === true && rows.filter(({ isAdmin }) => isAdmin).length === 1
  return user && { ...user, isLastAdmin }
}

/** Deletes a user with the sessions, which are revoked. */
export async function deleteUser(
  transaction: Transaction,
  userId: string,
  event: NewEvent,
): Promise<void> {
  await transaction.query({
    name: 'user_delete',
    text: `DELETE FROM users WHERE id = $1 RETURNING ${recordEvent('$2', 'id')}`,
    values: [userId, event],
  })
}
