// Lists, creates and changes users. Triggers revoke their sessions and tokens.
import type { Queryable, Transaction } from '@latchkey/service-kit'
import type { LockedUser } from '../accounts/delete-store.ts'
import { asUser, type User } from '../accounts/store.ts'
import { type NewEvent, recordEvent } from '../audit/store.ts'
import { durably } from '../commit.ts'
import { maxBoundaryLeadSeconds } from '../revocation/store.ts'
import { revokeAllSessions } from '../sessions/revoke-store.ts'

/** Which users to list, in the order of their addresses. */
export interface UserFilter {
  /** The beginning of their address. */
  prefix: string
  /** The address of the last user of the page before. */
  after: string
  limit: number
}

/** The order of bytes, in which all addresses that begin alike are neighbours. */
const address = `(lower(email) COLLATE "C")`

/** Lists users whose address begins with a text. */
export async function listUsers(
  db: Queryable,
  { prefix, after, limit }: UserFilter,
): Promise<User[]> {
  const { rows } = await db.query<User>({
    name: 'user_list',
    // No address contains a character beyond `~`.
    text: `
      SELECT ${asUser} FROM users
       WHERE ${address} >= lower($1) AND ${address} < lower($1) || U&'\\007F' AND ${address} > lower($2)
       ORDER BY ${address} LIMIT $3`,
    values: [prefix, after, limit],
  })
  return rows
}

/** What an admin may change about a user; `undefined` changes nothing. */
export interface UserChange {
  disabled: boolean | undefined
  roles: string[] | undefined
  scope: string | undefined
}

/**
 * Changes a user and revokes what must not outlive the change. Disabling ends the sessions; it also
 * revokes the tokens by subject, so that a recovery can name the user.
 * Removing a role or a scope value revokes the tokens issued so far, and the sessions stay open.
 *
 * For that the boundary of revoked tokens moves to the next whole second. The user's row is locked:
 * the clock is read after every earlier login and refresh, and later ones issue from the boundary.
 * It cannot move when it, or a token issued already, is ahead of the clock: after several changes
 * within a second, or because a failover set the clock back. Then the sessions end instead, which
 * depends on no clock.
 */
export async function changeUser(
  transaction: Transaction,
  old: Pick<LockedUser, 'id' | 'roles' | 'scope'>,
  { disabled, roles, scope, event }: UserChange & { event: NewEvent },
): Promise<User> {
  const takesAway = removesGrant(old, { roles, scope })
  if (disabled) await revokeAllSessions(transaction, old.id)
  const { rows } = await transaction.query<User & { boundaryMoved: boolean }>({
    name: 'user_change',
    text: `
      WITH clock AS (
        SELECT 1 + greatest(floor(extract(epoch FROM clock_timestamp())), tokens_not_before,
                 (SELECT floor(extract(epoch FROM max(refreshed_at))) FROM sessions
                   WHERE user_id = $1 AND revoked_at IS NULL)) AS next,
               floor(extract(epoch FROM clock_timestamp())) + ${maxBoundaryLeadSeconds} AS latest
          FROM users WHERE id = $1
      )
      UPDATE users
         SET roles = coalesce($2, roles),
             scope = coalesce($3, scope),
             disabled_at = CASE WHEN $4::boolean IS NULL THEN disabled_at
                                WHEN $4 THEN coalesce(disabled_at, now()) END,
             tokens_not_before = CASE WHEN $5 AND next <= latest THEN next
                                      WHEN $4 THEN greatest(tokens_not_before, latest - ${maxBoundaryLeadSeconds})
                                      ELSE tokens_not_before END
        FROM clock
       WHERE id = $1
      RETURNING ${asUser}, next <= latest AS "boundaryMoved", ${durably}, ${recordEvent('$6', 'id')}`,
    values: [old.id, roles, scope, disabled, takesAway, event],
  })
  const { boundaryMoved, ...user } = rows[0] as User & { boundaryMoved: boolean }
  if (takesAway && !boundaryMoved) await revokeAllSessions(transaction, old.id)
  return user
}

/** Whether a change takes a role or a scope value away. */
function removesGrant(
  old: Pick<LockedUser, 'roles' | 'scope'>,
  { roles, scope }: Pick<UserChange, 'roles' | 'scope'>,
): boolean {
  const kept = scope?.split(' ')
  const removesRole = roles !== undefined && old.roles.some((role) => !roles.includes(role))
  const removesScope =
    kept !== undefined && old.scope.split(' ').some((value) => value && !kept.includes(value))
  return removesRole || removesScope
}
