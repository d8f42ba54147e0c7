import { createHash } from 'node:crypto'
import rateLimitPlugin, { type FastifyRateLimitStore } from '@fastify/rate-limit'
import { ProblemError, type Queryable } from '@latchkey/service-kit'
import fp from 'fastify-plugin'
import { networkOf } from './network.ts'
import { countRequest } from './store.ts'

/**
 * `@fastify/rate-limit` with its counters in Postgres, so that a limit holds across instances.
 *
 * Off unless a route sets `config.rateLimit`. When the counters cannot be reached the route answers
 * 503: where limits guard credentials, no limit means no service.
 */
export const rateLimit = fp(
  async (app) => {
    await app.register(rateLimitPlugin, {
      global: false,
      store: storeOver(app.db),
      keyGenerator: networkOf,
      errorResponseBuilder: () =>
        new ProblemError(
          429,
          'rate_limited',
          'Too many requests. Wait as long as Retry-After says.',
        ),
    })
  },
  { name: 'rate-limit', fastify: '5.x', dependencies: ['database'] },
)

/** The plugin constructs its store itself, and a child of it for each route, whose keys must not meet. */
function storeOver(db: Queryable) {
  return class PostgresStore implements FastifyRateLimitStore {
    readonly #route: string

    constructor(options: { routeInfo?: { method?: unknown; url?: string } }) {
      this.#route = `${options.routeInfo?.method} ${options.routeInfo?.url}`
    }

    incr(
      key: string,
      callback: (error: Error | null, result?: { current: number; ttl: number }) => void,
      timeWindow = 60_000,
    ): void {
      // Hashed: the key holds what was typed as an e-mail address, a password now and then.
      const hashed = createHash('sha256').update(key).digest('base64url')
      countRequest(db, `${this.#route} ${hashed}`, timeWindow).then(
        (result) => callback(null, result),
        (err) => callback(err),
      )
    }

    child(options: object) {
      return new PostgresStore(options)
    }
  }
}
