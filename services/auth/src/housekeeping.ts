import fp from 'fastify-plugin'
import { deleteExpiredRateLimits } from './limits/store.ts'
import { deleteExpiredLoginFailures } from './passwords/store.ts'
import { deleteExpiredRevocations } from './revocation/store.ts'
import { deleteExpiredSessions } from './sessions/store.ts'
import { deleteOldReports } from './verifiers/store.ts'

/** How often each instance deletes, in milliseconds. A second one finds nothing left to delete. */
const intervalMs = 60_000

/** Deletes what has expired. Every answer is correct without it; it only keeps the tables small. */
export const housekeeping = fp(
  async (app) => {
    const deleteExpired = async () => {
      try {
        await deleteExpiredRateLimits(app.db)
        await deleteExpiredLoginFailures(app.db)
        await deleteExpiredRevocations(app.db)
        await deleteExpiredSessions(app.db)
        await deleteOldReports(app.db)
      } catch (err) {
        app.log.warn({ err }, 'expired rows could not be deleted; retrying in a minute')
      }
    }
    const timer = setInterval(deleteExpired, intervalMs).unref()
    app.addHook('onClose', async () => clearInterval(timer))
  },
  { name: 'housekeeping', fastify: '5.x', dependencies: ['database'] },
)
