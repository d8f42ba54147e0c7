import type { Queryable } from '@latchkey/service-kit'
import fp from 'fastify-plugin'
import { deleteExpiredCodes } from './accounts/codes-store.ts'
import { deleteExpiredRegistrations } from './accounts/registrations-store.ts'
import { deleteOldEvents, erasePersonalData } from './audit/store.ts'
import type { AuthConfig } from './config.ts'
import { deleteExpiredRateLimits } from './limits/store.ts'
import { deleteDeadMail } from './mail/outbox-store.ts'
import { deleteExpiredAuthorizationCodes } from './oauth/codes-store.ts'
import { deleteExpiredLoginFailures } from './passwords/store.ts'
import { deleteOldRecoveries } from './revocation/recoveries-store.ts'
import { deleteExpiredRevocations } from './revocation/store.ts'
import { deleteExpiredSessions } from './sessions/store.ts'
import { deleteExpiredAssertions, deleteOldReports } from './verifiers/store.ts'

/** How often each instance deletes, in milliseconds. A second one finds nothing left to delete. */
const intervalMs = 60_000

type Task = (db: Queryable, config: AuthConfig) => Promise<void>

/** What is deleted, a task for each table. */
export const housekeepingTasks: readonly Task[] = [
  deleteExpiredRateLimits,
  deleteExpiredLoginFailures,
  deleteExpiredRevocations,
  deleteExpiredSessions,
  deleteExpiredAuthorizationCodes,
  deleteOldReports,
  deleteExpiredAssertions,
  deleteOldRecoveries,
  deleteExpiredRegistrations,
  deleteExpiredCodes,
  erasePersonalData,
  deleteDeadMail,
  (db, config) => deleteOldEvents(db, config.LATCHKEY_AUDIT_RETENTION_DAYS),
]

/** Deletes what has expired. Every answer is correct without it; it only keeps the tables small. */
export const housekeeping = fp(
  async (app) => {
    let closing = false
    const deleteExpired = async () => {
      let failure: unknown
      for (const task of housekeepingTasks) {
        if (!closing) await task(app.db, app.config).catch((err) => (failure = err))
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
