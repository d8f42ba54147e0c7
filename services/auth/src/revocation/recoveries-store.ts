// Reads what auth instances have restored, for `latchkey recover`.
import type { Queryable } from '@latchkey/service-kit'

/** What one auth instance restored after the database had lost revocations. */
export interface Recovery {
  recoveredAt: Date
  instance: string
  /** Sessions that were ended again. */
  sessions: number
  /** Sessions whose tokens were revoked again, although their rows are missing. */
  missingSessions: number
  /** Users whose tokens were revoked again. */
  subjects: number
  /** The users concerned, at most a thousand. */
  userIds: string[]
}

/** Lists the recoveries of the last hours, the latest first. */
export async function listRecoveries(db: Queryable, sinceHours: number): Promise<Recovery[]> {
  const { rows } = await db.query<Recovery>(
    `SELECT recovered_at AS "recoveredAt", instance, sessions, subjects,
            missing_sessions AS "missingSessions", user_ids AS "userIds"
       FROM recoveries WHERE recovered_at > now() - make_interval(secs => $1)
      ORDER BY recovered_at DESC`,
    [sinceHours * 3_600],
  )
  return rows
}

/** @returns the revocation with the highest number, or `undefined` if there is none */
export async function findNewestRevocation(
  db: Queryable,
): Promise<{ seq: number; revokedAt: Date } | undefined> {
  const { rows } = await db.query<{ seq: number; revokedAt: Date }>(
    `SELECT seq::float8 AS seq, revoked_at AS "revokedAt"
       FROM revocations ORDER BY seq DESC LIMIT 1`,
  )
  return rows[0]
}
