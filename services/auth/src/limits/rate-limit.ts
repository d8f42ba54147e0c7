import rateLimitPlugin, { type FastifyRateLimitStore } from '@fastify/rate-limit'
import { ProblemError, type Queryable } from '@latchkey/service-kit'
import fp from 'fastify-plugin'
import { networkOf } from './network.ts'
import { countRequest, hashKey } from './store.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The network the request counts against, as an IP address. */
    readonly network: string
  }
}

/**
 * `@fastify/rate-limit` with its counters in Postgres, so that all instances share a limit.
 *
 * Off unless a route sets `config.rateLimit`. Such a route answers 503 while the counters are
 * unreachable: it guards credentials, and must not be served without its limit.
 */
export const rateLimit = fp(
  async (app) => {
    app.decorateRequest('network', {
      getter() {
        return networkOf(this)
      },
    })
    await app.register(rateLimitPlugin, {
      global: false,
      store: storeOver(app.db),
      keyGenerator: networkOf,
      errorResponseBuilder: () =>
        new ProblemError(
          429,
          'rate_limited',
          'Too many requests. Wait the number of seconds in Retry-After.',
        ),
    })
  },
  { name: 'rate-limit', fastify: '5.x', dependencies: ['database'] },
)

interface StoreOptions {
  groupId?: string
  routeInfo?: { method?: unknown; url?: string }
}

/**
 * The plugin constructs the store, and a child per route; the route keeps their keys apart. Routes
 * with one `groupId` share their counters.
 */
function storeOver(db: Queryable) {
  return class PostgresStore implements FastifyRateLimitStore {
    readonly #route: string

    constructor({ groupId, routeInfo }: StoreOptions) {
      this.#route = groupId ?? `${routeInfo?.method} ${routeInfo?.url}`
    }

    incr(
      key: string,
      callback: (error: Error | null, result?: { current: number; ttl: number }) => void,
      timeWindow = 60_000,
    ): void {
      countRequest(db, `${this.#route} ${hashKey(key)}`, timeWindow).then(
        (result) => callback(null, result),
        (err) => callback(err),
      )
    }

    child(options: object) {
      return new PostgresStore(options)
    }
  }
}
