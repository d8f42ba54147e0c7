import fp from 'fastify-plugin'
import { answersUnderOverload } from './overload.ts'

/** Asks one thing the service needs; throws when it cannot serve without it. */
type ReadinessCheck = () => Promise<void>

declare module 'fastify' {
  interface FastifyInstance {
    /** What `/readyz` asks. */
    readiness: {
      /** Adds a check under a name that `/readyz` shows. One that is not required makes nothing unready. */
      add: (name: string, check: ReadinessCheck, options?: { required: boolean }) => void
      /** From now on `/readyz` is 503 and `/livez` hangs up: load balancers shall send no new requests. */
      drain: () => void
      readonly draining: boolean
    }
  }
}

/** A check that takes longer has failed, in milliseconds. */
const checkTimeoutMs = 2_000

/**
 * `/livez`: the process answers, and goes on doing so. `/readyz`: everything it needs answers too; 503 names
 * what does not.
 *
 * Verification goes on without the database, so a load balancer that must keep verifying services in
 * when Postgres is away decides by `/livez`. While draining, that hangs up instead of answering: a proxy
 * that asks before it sends a request takes it for a connection that failed, and goes elsewhere.
 */
export const health = fp(
  async (app) => {
    const checks = new Map<string, { check: ReadinessCheck; required: boolean }>()
    let draining = false
    app.decorate('readiness', {
      add: (name, check, { required } = { required: true }) => {
        checks.set(name, { check, required })
      },
      drain: () => {
        draining = true
      },
      get draining() {
        return draining
      },
    })

    const config = { public: true, ...answersUnderOverload }
    const options = { config, logLevel: 'warn' } as const
    app.get('/livez', options, async (request, reply) => {
      if (!draining) return { status: 'ok' }
      request.raw.destroy()
      return reply.hijack()
    })
    app.get('/readyz', options, async (_request, reply) => {
      const results = await Promise.all(
        [...checks].map(async ([name, { check }]) => [name, await outcome(check)] as const),
      )
      const isMissing = results.some(
        ([name, result]) => result === 'failed' && checks.get(name)?.required,
      )
      const ready = !draining && !isMissing
      const status = draining ? 'draining' : ready ? 'ok' : 'unavailable'
      return reply
        .code(ready ? 200 : 503)
        .header('cache-control', 'no-store')
        .send({ status, checks: Object.fromEntries(results) })
    })
  },
  { name: 'health', fastify: '5.x' },
)

async function outcome(check: ReadinessCheck): Promise<'ok' | 'failed'> {
  const timeout = Promise.withResolvers<'failed'>()
  const timer = setTimeout(timeout.resolve, checkTimeoutMs, 'failed')
  const asked = check().then(
    () => 'ok' as const,
    () => 'failed' as const,
  )
  return Promise.race([asked, timeout.promise]).finally(() => clearTimeout(timer))
}
