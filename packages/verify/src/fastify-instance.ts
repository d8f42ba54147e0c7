import type { FastifyInstance } from 'fastify'
import type { RouteConfig } from './route-config.ts'

/** Throws if something was registered earlier that could answer requests before the guard does. */
export function refuseEarlierPlugins(app: FastifyInstance): void {
  const symbol = Object.getOwnPropertySymbols(app).find(
    ({ description }) => description === 'fastify.children',
  )
  const children: unknown = symbol && (app as unknown as Record<symbol, unknown>)[symbol]
  if (Array.isArray(children) && children.length > 0) {
    throw new Error(
      'register @latchkey/verify/fastify first: hooks of plugins registered before it would run ' +
        'without a token',
    )
  }
  // The decorator of @fastify/middie and @fastify/express.
  if (app.hasDecorator('use')) {
    throw new Error(
      'register @latchkey/verify/fastify before @fastify/middie or @fastify/express: middleware ' +
        'would answer requests without a token',
    )
  }
}

/** What the router keeps of a route. */
interface RouteContext {
  readonly config: RouteConfig & { readonly method: unknown; readonly url: unknown }
  readonly server: object
}

/**
 * Visits every route. Fastify has no list of them, and calls `onRoute` only for those added later;
 * but to print the routes the router calls `buildPrettyMeta` for each.
 */
export function visitRoutes(app: FastifyInstance, visit: (route: RouteContext) => void): void {
  const buildPrettyMeta = (route: { store: RouteContext }) => {
    visit(route.store)
    return {}
  }
  for (const method of app.supportedMethods) {
    // The router writes its own function to this member before it calls it.
    const options = { method, includeMeta: true, commonPrefix: false }
    Object.defineProperty(options, 'buildPrettyMeta', { get: () => buildPrettyMeta, set() {} })
    app.printRoutes(options as Parameters<typeof app.printRoutes>[0])
  }
}
