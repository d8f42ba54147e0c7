// Records what auth instances have restored, for `latchkey recover`.
import { isUuid, type Queryable } from '@latchkey/service-kit'
import { deleteInBatches } from '../delete-in-batches.ts'
import type { Restored } from './restore-store.ts'

/** Users that one recovery names at most. */
const maxUserIds = 1_000

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
  /** The users concerned, at most a thousand. Their password, roles or ban may be lost. */
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

/** Adds what was restored to the row of a recovery, or creates the row. @returns its ID */
export async function recordRecovery(
  db: Queryable,
  { sessions, missingSessions, userIds }: Restored,
  { id, instance }: { id: string | undefined; instance: string },
): Promise<string> {
  const named = userIds.filter(isUuid).slice(0, maxUserIds)
  const counts = [sessions, missingSessions, userIds.length, named]
  const { rows } =
    id === undefined
      ? await db.query<{ id: string }>(
          `INSERT INTO recoveries (sessions, missing_sessions, subjects, user_ids, instance)
           VALUES ($1, $2, $3, $4, $5) RETURNING id`,
          [...counts, instance],
        )
      : await db.query<{ id: string }>(
          `UPDATE recoveries
              SET sessions = sessions + $1, missing_sessions = missing_sessions + $2,
                  subjects = subjects + $3, user_ids = (user_ids || $4)[1:${maxUserIds}]
            WHERE id = $5 RETURNING id`,
          [...counts, id],
        )
  return rows[0]?.id as string
}

/** Deletes the records of recoveries after 90 days. */
export async function deleteOldRecoveries(db: Queryable): Promise<void> {
  await deleteInBatches(db, 'recoveries', `recovered_at < now() - interval '90 days'`)
}
