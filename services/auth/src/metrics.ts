import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Counter, Gauge } from 'prom-client'
import { listVerifiers } from './verifiers/store.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Counters of the auth service, in addition to those of every service. */
    counters: {
      logins: Counter<'result'>
      refreshes: Counter<'result'>
      restored: Counter
      breachedPasswordChecks: Counter<'result'>
    }
  }
}

/** Logins, refreshes and checks of passwords by result, the hash queue, verifiers that lack keys. */
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
        help: 'Refreshes by result: ok, recovered (the database had lost the last one), invalid, reused (an old token; its session was revoked) or lost (the database has lost the session)',
        labelNames: ['result'] as const,
        registers,
      }),
      restored: new Counter({
        name: 'latchkey_revocations_restored_total',
        help: 'Revocations that the database had lost and that this instance has restored',
        registers,
      }),
      breachedPasswordChecks: new Counter({
        name: 'latchkey_breached_password_checks_total',
        help: 'New passwords looked up in the service for breached passwords: ok (not known), breached (refused) or failed (no answer; accepted)',
        labelNames: ['result'] as const,
        registers,
      }),
    })
    exposeHashQueue(app)
    exposeMissingKeys(app)
  },
  { name: 'auth-metrics', fastify: '5.x', dependencies: ['database', 'keyring'] },
)

function exposeHashQueue(app: FastifyInstance): void {
  const registers = [app.metrics]
  new Gauge({
    name: 'latchkey_password_hashes_running',
    help: 'Password hashes being computed',
    registers,
    collect() {
      this.set(app.passwords.counters.running)
    },
  })
  new Gauge({
    name: 'latchkey_password_hashes_queued',
    help: 'Password hashes waiting in the queue',
    registers,
    collect() {
      this.set(app.passwords.counters.queued)
    },
  })
  new Counter({
    name: 'latchkey_password_hashes_refused_total',
    help: 'Password hashes refused because the queue was full',
    registers,
    collect() {
      this.reset()
      this.inc(app.passwords.counters.refused)
    },
  })
}

function exposeMissingKeys(app: FastifyInstance): void {
  new Gauge({
    name: 'latchkey_verifier_missing_keys',
    help: 'Keys of the keyring that a verifier lacks, for verifiers seen in the last minute',
    labelNames: ['verifier'] as const,
    registers: [app.metrics],
    async collect() {
      this.reset()
      const kids = app.keyring.current.keys.map(({ kid }) => kid)
      // Without the database the verifiers are unknown, and the metric has no samples.
      const verifiers = await listVerifiers(app.db).catch(() => [])
      for (const { instance, kids: known } of verifiers) {
        this.set({ verifier: instance }, kids.filter((kid) => !known.includes(kid)).length)
      }
    },
  })
}
