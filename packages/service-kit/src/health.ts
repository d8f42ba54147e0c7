import type { FastifyBaseLogger } from 'fastify'
import fp from 'fastify-plugin'
import { adviceFor } from './database-errors.ts'
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

type Outcome = 'ok' | 'failed'

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
    const checks = new Map<string, { run: () => Promise<Outcome>; required: boolean }>()
    let draining = false
    app.decorate('readiness', {
      add: (name, check, { required } = { required: true }) => {
        checks.set(name, { run: createRunner(name, check, app.log), required })
      },
      drain: () => {
        draining = true
      },
      get draining() {
        return draining
      },
    })

    // Nothing may ever ask for /readyz, and the log has to say why the service is not ready.
    app.addHook('onListen', async () => {
      for (const { run } of checks.values()) void run()
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
        [...checks].map(async ([name, { run }]) => [name, await run()] as const),
      )
      const isMissing = results.some(
        ([name, result]) => result === 'failed' && checks.get(name)?.required,
      )
      const ready = !draining && !isMissing
      const status = draining ? 'draining' : ready ? 'ok' : 'unavailable'
      const body = { status, checks: Object.fromEntries(results) }
      return reply.code(ready ? 200 : 503).send(body)
    })
  },
  { name: 'health', fastify: '5.x' },
)

/**
 * @returns a function that runs a check. It logs every cause of a failure once, and when the check
 *   passes again, however often it is called.
 */
function createRunner(
  name: string,
  check: ReadinessCheck,
  log: FastifyBaseLogger,
): () => Promise<Outcome> {
  const causes = new Set<string>()
  return async () => {
    const err = await failureOf(check)
    if (err === undefined) {
      if (causes.size > 0) log.info({ check: name }, 'readiness check passes again')
      causes.clear()
      return 'ok'
    }
    const { code, message } = err as NodeJS.ErrnoException
    const cause = code ?? message
    if (!causes.has(cause)) {
      log.warn({ check: name, err, advice: adviceFor(err) }, 'readiness check failed')
    }
    causes.add(cause)
    return 'failed'
  }
}

async function failureOf(check: ReadinessCheck): Promise<Error | undefined> {
  const timeout = Promise.withResolvers<Error>()
  const late = new Error(`no result after ${checkTimeoutMs} ms`)
  const timer = setTimeout(timeout.resolve, checkTimeoutMs, late)
  const asked = check().then(
    () => undefined,
    (err) => (err instanceof Error ? err : new Error(String(err))),
  )
  return Promise.race([asked, timeout.promise]).finally(() => clearTimeout(timer))
}
