import fp from 'fastify-plugin'
import { reportSigning, reportVerifier } from './store.ts'

/** How often an instance says which keys it holds, in milliseconds. */
const intervalMs = 1_000
/**
 * What a token may live beyond its lifetime, in seconds: one interval in which the instance may sign on
 * after its last report, and the verifiers' default clock tolerance.
 */
const marginSeconds = 2 + 5

/** Reports this instance's keys, as it verifies and signs with them, while it runs. */
export const heartbeat = fp(
  async (app) => {
    const { LATCHKEY_INSTANCE, LATCHKEY_ACCESS_TOKEN_TTL_SECONDS } = app.config
    const report = async () => {
      const { keys, signing } = app.keyring.current
      try {
        await reportVerifier(app.db, {
          service: 'auth',
          instance: LATCHKEY_INSTANCE,
          kids: keys.map(({ kid }) => kid),
        })
        await reportSigning(app.db, signing.kid, LATCHKEY_ACCESS_TOKEN_TTL_SECONDS + marginSeconds)
      } catch (err) {
        // Nothing is signed without the database either, so nothing goes unreported.
        app.log.debug({ err }, 'keys could not be reported; tried again in a second')
      }
    }
    let timer: NodeJS.Timeout | undefined
    let closing = false
    const loop = async () => {
      await report()
      if (!closing) timer = setTimeout(loop, intervalMs).unref()
    }
    app.addHook('onReady', async () => void loop())
    app.addHook('onClose', async () => {
      closing = true
      clearTimeout(timer)
    })
  },
  { name: 'keys-heartbeat', fastify: '5.x', dependencies: ['database', 'keyring'] },
)
