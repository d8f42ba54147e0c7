import { limits } from '@latchkey/verify'
import fp from 'fastify-plugin'
import { repeatWhileOpen } from '../repeat.ts'
import { reportSigningKey, reportVerifier } from './store.ts'

/** How often an instance reports its keys, in milliseconds. */
const intervalMs = 1_000
/** How long an instance may sign with a key after its last report, in seconds: two intervals. */
const reportDelaySeconds = 2

/** Reports the keys that this instance verifies and signs with, and its clock, while it runs. */
export const heartbeat = fp(
  async (app) => {
    const { LATCHKEY_INSTANCE, LATCHKEY_ACCESS_TOKEN_TTL_SECONDS } = app.config
    // An expired token is accepted for the verifiers' clock tolerance.
    const liveForSeconds =
      LATCHKEY_ACCESS_TOKEN_TTL_SECONDS + reportDelaySeconds + limits.defaultClockToleranceSeconds
    repeatWhileOpen(app, async () => {
      const { keys, roots, idTokenKeys } = app.keyring.current
      const signingKid = app.getSigningKid()
      const kids = [...keys, ...roots, ...idTokenKeys].map(({ kid }) => kid)
      try {
        await reportVerifier(app.db, {
          service: 'auth',
          instance: LATCHKEY_INSTANCE,
          kids: [signingKid, ...kids.filter((kid) => kid !== signingKid)],
          clockSeconds: Date.now() / 1_000,
          uptimeSeconds: process.uptime(),
        })
        await reportSigningKey(app.db, signingKid, liveForSeconds)
      } catch (err) {
        // Without the database nothing is signed either, so no signature goes unreported.
        app.log.debug({ err }, 'keys could not be reported; retrying in a second')
      }
      return intervalMs
    })
  },
  {
    name: 'keys-heartbeat',
    fastify: '5.x',
    dependencies: ['database', 'keyring', 'session-tokens'],
  },
)
