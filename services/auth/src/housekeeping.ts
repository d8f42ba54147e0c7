import type { Queryable } from '@latchkey/service-kit'
import fp from 'fastify-plugin'
import { deleteExpiredRateLimits } from './limits/store.ts'
import { deleteExpiredLoginFailures } from './passwords/store.ts'
import { deleteOldRecoveries } from './revocation/recoveries-store.ts'
import { deleteExpiredRevocations } from './revocation/store.ts'
import { deleteExpiredSessions } from './sessions/store.ts'
import { deleteExpiredAssertions, deleteOldReports } from './verifiers/store.ts'

/** How often each instance deletes, in milliseconds. A second one finds nothing left to delete. */
const intervalMs = 60_000

const tasks: readonly ((db: Queryable) => Promise<void>)[] = [
  deleteExpiredRateLimits,
  deleteExpiredLoginFailures,
  deleteExpiredRevocations,
  deleteExpiredSessions,
  deleteOldReports,
  deleteExpiredAssertions,
  deleteOldRecoveries,
]

/** Deletes what has expired. Every answer is correct without it; it only keeps the tables small. */
export const housekeeping = fp(
  async (app) => {
    let closing = false
    const deleteExpired = async () => {
      let failure: unknown
      for (const task of tasks) {
        if (!closing) await task(app.db).catch((err) => (failure = err))
      }
      if (failure === undefined) return
      app.log.warn({ err: failure }, 'expired rows could not be deleted; retrying in a minute')
    }
    const timer = setInterval(deleteExpired, intervalMs).unref()
    app.addHook('onClose', async () => {
      closing = true
      clearInterval(timer)
    })
  },
  { name: 'housekeeping', fastify: '5.x', dependencies: ['database'] },
)
