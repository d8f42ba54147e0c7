import fp from 'fastify-plugin'
import { forgetOldRateLimits } from './limits/store.ts'
import { forgetOldLoginFailures } from './passwords/store.ts'
import { forgetOldRevocations } from './revocation/store.ts'
import { forgetOldSessions } from './sessions/store.ts'
import { forgetOldReports } from './verifiers/store.ts'

/** How often each instance tidies up, in milliseconds; who comes second finds nothing to do. */
const intervalMs = 60_000

/** Removes what has expired. Everything is right without it; the tables only grow. */
export const housekeeping = fp(
  async (app) => {
    const tidy = async () => {
      try {
        await forgetOldRateLimits(app.db)
        await forgetOldLoginFailures(app.db)
        await forgetOldRevocations(app.db)
        await forgetOldSessions(app.db)
        await forgetOldReports(app.db)
      } catch (err) {
        app.log.warn({ err }, 'housekeeping failed; it is tried again in a minute')
      }
    }
    const timer = setInterval(tidy, intervalMs).unref()
    app.addHook('onClose', async () => clearInterval(timer))
  },
  { name: 'housekeeping', fastify: '5.x', dependencies: ['database'] },
)
