import { inTransaction } from '@latchkey/service-kit'
import type { FastifyInstance } from 'fastify'
import type { RevocationList } from './memory.ts'
import { recordRecovery } from './recoveries-store.ts'
import { type Restored, restoreRevocations } from './restore-store.ts'

/** Revocations restored in one transaction: few enough for the time limit of a statement. */
const batchSize = 500
/** Users that the log line names at most. */
const maxLoggedIds = 100

/** Restores in batches; counts, records and logs what was restored, also if one of them fails. */
export async function restore(
  { db, log, config, counters }: FastifyInstance,
  { sessions, subjects }: RevocationList,
): Promise<void> {
  const total: Restored = { sessions: 0, missingSessions: 0, userIds: [] }
  let id: string | undefined
  const batches = Math.ceil(Math.max(sessions.length, subjects.length) / batchSize)
  try {
    for (let i = 0; i < batches; i += 1) {
      const range = [i * batchSize, (i + 1) * batchSize] as const
      const lost = { sessions: sessions.slice(...range), subjects: subjects.slice(...range) }
      const { part, row } = await inTransaction(db, async (transaction) => {
        const part = await restoreRevocations(transaction, lost)
        if (countOf(part) === 0) return { part, row: id }
        const recovery = { id, instance: config.LATCHKEY_INSTANCE }
        return { part, row: await recordRecovery(transaction, part, recovery) }
      })
      id = row
      counters.restored.inc(countOf(part))
      total.sessions += part.sessions
      total.missingSessions += part.missingSessions
      total.userIds.push(...part.userIds)
    }
  } finally {
    if (countOf(total) > 0) {
      log.error(
        { ...total, userIds: total.userIds.slice(0, maxLoggedIds) },
        'the database had lost revocations, which are restored; run `latchkey recover` and check the password, roles and ban of these users',
      )
    }
  }
}

const countOf = ({ sessions, missingSessions, userIds }: Restored): number =>
  sessions + missingSessions + userIds.length
