import fp from 'fastify-plugin'
import { Counter, Gauge } from 'prom-client'
import { listVerifiers } from './verifiers/store.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** What the auth service counts, in addition to what every service does. */
    counters: {
      logins: Counter<'result'>
      refreshes: Counter<'result'>
    }
  }
}

/** Logins and refreshes by result, the hash queue, and verifiers that lack keys. */
export const authMetrics = fp(
  async (app) => {
    const registers = [app.metrics]
    app.decorate('counters', {
      logins: new Counter({
        name: 'latchkey_logins_total',
        help: 'Logins by result: ok, invalid, limited (too many failures) or busy (hash queue full)',
        labelNames: ['result'] as const,
        registers,
      }),
      refreshes: new Counter({
        name: 'latchkey_refreshes_total',
        help: 'Refreshes by result: ok, invalid or reused (an old token, its session was revoked)',
        labelNames: ['result'] as const,
        registers,
      }),
    })
    new Gauge({
      name: 'latchkey_password_hashes_running',
      help: 'Password hashes being computed',
      registers,
      collect() {
        this.set(app.passwords.running)
      },
    })
    new Gauge({
      name: 'latchkey_password_hashes_queued',
      help: 'Password hashes waiting for a processor',
      registers,
      collect() {
        this.set(app.passwords.queued)
      },
    })
    new Counter({
      name: 'latchkey_password_hashes_refused_total',
      help: 'Password hashes refused because the queue was full',
      registers,
      collect() {
        this.reset()
        this.inc(app.passwords.refused)
      },
    })
    new Gauge({
      name: 'latchkey_verifier_missing_keys',
      help: 'Keys of the ring that a verifier seen lately lacks',
      labelNames: ['verifier'] as const,
      registers,
      async collect() {
        this.reset()
        const kids = app.keyring.current.keys.map(({ kid }) => kid)
        // Without the database nothing is known of the verifiers; the metric is then absent.
        const verifiers = await listVerifiers(app.db).catch(() => [])
        for (const { instance, kids: held } of verifiers) {
          this.set({ verifier: instance }, kids.filter((kid) => !held.includes(kid)).length)
        }
      },
    })
  },
  { name: 'auth-metrics', fastify: '5.x', dependencies: ['database', 'keyring'] },
)
