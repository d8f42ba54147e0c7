// Ends sessions; locks users. A trigger adds the revocations.
import type { Queryable, Transaction } from '@latchkey/service-kit'
import { revocationRetentionSeconds } from '../revocation/store.ts'

/**
 * Ends and revokes one session. Ending it again changes nothing.
 *
 * @param session.userId its owner; leave it out when the caller presented its refresh token
 * @returns whether an open session was ended
 */
export async function revokeSession(
  db: Queryable,
  { sessionId, userId }: { sessionId: string; userId?: string },
): Promise<boolean> {
  const { rows } = await db.query({
    name: 'session_revoke',
    text: `
      UPDATE sessions SET revoked_at = now()
       WHERE id = $1 AND revoked_at IS NULL AND ($2::uuid IS NULL OR user_id = $2)
      RETURNING id`,
    values: [sessionId, userId],
  })
  return rows.length > 0
}

/**
 * Ends and revokes every session of a user.
 *
 * Requires a transaction, because a separate statement locks the user's row first. A concurrent
 * login or refresh holds a share lock on that row. Either it commits before, and the second
 * statement sees and ends its session, or it waits for the lock and sees what has changed about the
 * user.
 */
export async function revokeAllSessions(transaction: Transaction, userId: string): Promise<void> {
  await transaction.query('SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE', [userId])
  await transaction.query({
    name: 'session_revoke_all',
    // Sessions that expired recently are included: their tokens may still be valid.
    text: `
      UPDATE sessions SET revoked_at = now()
       WHERE user_id = $1 AND revoked_at IS NULL
         AND expires_at > now() - interval '${revocationRetentionSeconds} seconds'`,
    values: [userId],
  })
}
