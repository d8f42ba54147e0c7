import fp from 'fastify-plugin'
import { answersUnderOverload } from './overload.ts'

/** Checks one dependency; throws while it is unavailable. */
type ReadinessCheck = () => Promise<void>

declare module 'fastify' {
  interface FastifyInstance {
    /** The checks behind `/readyz`. */
    readiness: {
      /**
       * Adds a check that `/readyz` reports by name. Only a required one can make it answer 503.
       */
      add: (name: string, check: ReadinessCheck, options?: { required: boolean }) => void
      /** Makes `/readyz` answer 503 and `/livez` hang up: load balancers send no new requests. */
      drain: () => void
      readonly draining: boolean
    }
  }
}

/** Longest time of a check, in milliseconds; a slower one counts as failed. */
const checkTimeoutMs = 2_000

/**
 * `/livez` answers while the process runs. `/readyz` answers 200 while every required check passes,
 * and 503 otherwise; its body has the result of every check.
 *
 * Tokens are verified without the database. A load balancer that must keep services in rotation
 * while Postgres is unavailable therefore uses `/livez`. While draining, `/livez` closes the
 * connection instead of answering: a proxy treats that as a failed connection and picks another
 * instance.
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
