import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  onRequestHookHandler,
} from 'fastify'
import { readVerifier } from './adapter.ts'
import { checkRequest, checkTokenOption } from './bearer.ts'
import { refuseEarlierPlugins, visitRoutes } from './fastify-instance.ts'
import type { LatchkeyOptions, User } from './fastify-types.ts'
import { describeNotFound, describeRefusal, type HttpRefusal } from './refusal.ts'
import { authorize } from './requirements.ts'
import { checkRouteConfig } from './route-config.ts'
import { TokenError } from './token/error.ts'
import { pickStaleness } from './token/staleness.ts'
import type { CheckResult } from './token/verification.ts'
import type { Verifier } from './verifier.ts'

export type { LatchkeyOptions, User } from './fastify-types.ts'

/** What a protected instance requires of requests to its routes. */
interface Guard {
  readonly check: (request: FastifyRequest) => CheckResult
  readonly publicNotFound: boolean
}

/** Where an instance keeps its guard. Instances below inherit it, or have one of their own. */
const GUARD = Symbol('@latchkey/verify')
type Guarded = FastifyInstance & { [GUARD]: Guard }

const REGISTERED =
  '@latchkey/verify/fastify is registered already; register another verifier in a plugin below'

/**
 * Protects every route of the instance it is registered on, and of plugins registered there later:
 * every request needs a valid token, unless the route has `config: { public: true }`. A route
 * requires more with `config: { scopes: […], roles: […] }`. Requests that match no route need a
 * token too, because middleware may answer them.
 *
 * Refused requests are answered before their body is read (RFC 6750, RFC 9457). Registered again in
 * a plugin below, it replaces the verifier and the options for that plugin.
 *
 * If the verifier follows a revocation feed, the server first waits until it has caught up, for
 * less than `pluginTimeout`; if it has not by then, the server starts with a warning.
 *
 * @example
 * ```ts
 * import latchkey from '@latchkey/verify/fastify'
 * import Fastify from 'fastify'
 * const app = Fastify()
 * await app.register(latchkey, { keys: { file: 'keys.json' }, issuer, audience: 'orders' })
 * app.get('/me', async (request) => request.user.sub)
 * app.delete('/orders', { config: { roles: ['admin'] } }, async () => 'deleted')
 * app.get('/health', { config: { public: true } }, async () => 'ok')
 * ```
 */
export const latchkey: FastifyPluginAsync<LatchkeyOptions> = async (app, options) => {
  const { token, publicNotFound = false, ...others } = options
  checkTokenOption(token)
  if (typeof publicNotFound !== 'boolean') throw new TypeError('publicNotFound must be a boolean')
  if (Object.hasOwn(app, GUARD)) throw new Error(REGISTERED)
  const isNested = GUARD in app
  if (!isNested) refuseEarlierPlugins(app)
  const verifier = readVerifier(others)
  if (!('verifier' in others)) {
    app.addHook('onClose', async () => {
      verifier.revocations?.close()
      verifier.jwks?.close()
    })
  }
  const check: Guard['check'] = (request) => {
    const readElsewhere = token && (() => token(request))
    const staleness = pickStaleness(request.routeOptions.config)
    return checkRequest(verifier, request.raw, staleness, readElsewhere)
  }
  Object.defineProperty(app, GUARD, { value: { check, publicNotFound } satisfies Guard })
  app.addHook('onReady', () => waitForKeys(app, verifier))
  app.addHook('onReady', () => waitForRevocations(app, verifier))
  if (isNested) return

  app.decorateRequest('user', null as unknown as User)
  app.decorateRequest('jwtVerify', jwtVerify as FastifyRequest['jwtVerify'])
  app.decorateReply('refusalCode', undefined)
  app.addHook('onRequest', authenticate)
  app.addHook('onRoute', ({ config, method, url }) => {
    checkRouteConfig(config ?? {}, method, url)
  })
  app.addHook('onReady', async () => {
    visitRoutes(app, ({ config, server }) => {
      if (GUARD in server) checkRouteConfig(config, config.method, config.url)
    })
  })
}

// As fastify-plugin does: hooks and decorators belong to the instance that registers the plugin.
Object.assign(latchkey, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: '@latchkey/verify',
  [Symbol.for('plugin-meta')]: { name: '@latchkey/verify', fastify: '5.x' },
})

/** @alias latchkey */
export default latchkey

const authenticate: onRequestHookHandler = (request, reply, next) => {
  const { config } = request.routeOptions
  const { check, publicNotFound } = (request.server as Guarded)[GUARD]
  try {
    checkRouteConfig(config, config.method, config.url)
    if (config.public === true && !request.is404) return next()
    const result = check(request)
    const refused = result.ok ? authorize(result.claims, config) : result
    if (result.ok && refused === undefined) {
      request.user = result.claims
      return next()
    }
    const isStranger = refused?.error.code === 'token_missing'
    if (request.is404 && publicNotFound && isStranger) {
      return answer(reply, describeNotFound(request.id))
    }
    return answer(reply, describeRefusal(refused?.error, config, request.id))
  } catch (err) {
    request.log.error({ err }, 'token could not be verified')
    return answer(reply, describeRefusal(err, config, request.id))
  }
}

function answer(reply: FastifyReply, { status, code, headers, body }: HttpRefusal): void {
  reply.refusalCode = code
  if (reply.request.headers.upgrade !== undefined) {
    // No server closes the socket of a refused upgrade; @fastify/websocket only if it came first.
    reply.raw.once('finish', () => reply.raw.socket?.destroy())
  }
  reply.code(status).headers(headers).send(body)
}

/** Throws instead of rejecting where it is called wrongly: nobody awaits a call with a callback. */
function jwtVerify(this: FastifyRequest, ...args: unknown[]): Promise<User> {
  if (args.length > 0) {
    throw new TypeError(
      'request.jwtVerify() accepts no options and no callback: await it; for another audience, ' +
        'issuer or key register @latchkey/verify/fastify in a plugin of its own',
    )
  }
  return verifyUser(this)
}

async function verifyUser(request: FastifyRequest): Promise<User> {
  const result = (request.server as Guarded)[GUARD].check(request)
  if (!result.ok) throw toHttpError(result.error)
  request.user = result.claims
  return result.claims
}

async function waitForKeys(app: FastifyInstance, { jwks }: Verifier): Promise<void> {
  if ((await jwks?.catchUp(hookTimeoutMs(app))) !== false) return
  app.log.warn('the keys could not be fetched yet; until they are, requests are answered with 503')
}

async function waitForRevocations(app: FastifyInstance, { revocations }: Verifier): Promise<void> {
  if ((await revocations?.catchUp(hookTimeoutMs(app))) !== false) return
  app.log.warn(
    'revocations could not be read yet; unless onStale is "deny", revoked tokens are accepted',
  )
}

/** The app does not start if a hook takes longer than `pluginTimeout`. */
function hookTimeoutMs({ initialConfig: { pluginTimeout } }: FastifyInstance): number | undefined {
  return pluginTimeout ? pluginTimeout * 0.9 : undefined
}

/** A new error for each request, with the headers that Fastify's error handler sends. */
function toHttpError({ code, claim, status }: TokenError): TokenError {
  const error = new TokenError(code, claim, status)
  const { 'www-authenticate': challenge } = describeRefusal(error).headers
  return challenge === undefined
    ? error
    : Object.assign(error, { headers: { 'www-authenticate': challenge } })
}
