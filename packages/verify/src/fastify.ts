import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { checkRequest } from './bearer.ts'
import { describeRefusal } from './refusal.ts'
import { authorize, checkRequirements, type Requirements } from './requirements.ts'
import { TokenError } from './token/error.ts'
import type { Claims, RegisteredClaims } from './token/types.ts'
import { createVerifier, type Verifier, type VerifierOptions } from './verifier.ts'

/**
 * The type of `request.user`.
 * @example
 * ```ts
 * import type { User } from '@latchkey/verify/fastify'
 * const isAdmin = ({ roles }: User) => roles?.includes('admin') ?? false
 * ```
 */
export type User = Claims & Readonly<RegisteredClaims>

/**
 * Options of the plugin: a verifier, or the options of one.
 * @example
 * ```ts
 * import type { LatchkeyOptions } from '@latchkey/verify/fastify'
 * const options: LatchkeyOptions = { verifier }
 * ```
 */
export type LatchkeyOptions = { verifier: Verifier } | VerifierOptions

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * The verified claims; null on a public route until `jwtVerify` succeeds.
     *
     * @ts-ignore: @fastify/jwt, if installed for signing, declares its own
     */
    user: User
    /**
     * Verifies the request's token, for public routes that treat signed-in users differently.
     *
     * @throws TokenError, which Fastify's error handler answers with its status and challenge
     * @ts-ignore: as above
     */
    jwtVerify: () => Promise<User>
  }
  interface FastifyContextConfig extends Requirements {
    /** Requests to this route need no token. */
    public?: boolean
  }
}

/**
 * Protects every route of the instance it is registered on, and of plugins registered there later:
 * every request needs a valid token, unless the route has `config: { public: true }`. A route
 * requires more with `config: { scopes: […], roles: […] }`. Requests that match no route go to the
 * not-found handler.
 *
 * Refused requests are answered before their body is read (RFC 6750, RFC 9457).
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
  const verifier = 'verifier' in options ? options.verifier : createVerifier(options)
  refuseEarlierPlugins(app)

  app.decorateRequest('user', null as unknown as User)
  app.decorateRequest('jwtVerify', async function jwtVerify(this: FastifyRequest) {
    const result = checkRequest(verifier, this.raw, this.routeOptions.config)
    if (!result.ok) throw toHttpError(result.error)
    this.user = result.claims
    return result.claims
  })

  app.addHook('onRoute', ({ config = {}, method, url }) => {
    checkRequirements(config)
    if (config.public === true && (config.scopes ?? config.roles) !== undefined) {
      throw new TypeError(`${method} ${url} cannot be public and require scopes or roles`)
    }
  })

  app.addHook('onRequest', function authenticate(request, reply, next) {
    const { config } = request.routeOptions
    if (config.public === true || request.is404) return next()
    try {
      const result = checkRequest(verifier, request.raw, config)
      const refused = result.ok ? authorize(result.claims, config) : result
      if (refused !== undefined) return answer(reply, refused.error, config)
      if (result.ok) request.user = result.claims
    } catch (err) {
      request.log.error({ err }, 'token could not be verified')
      return answer(reply, err, config)
    }
    next()
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

function answer(reply: FastifyReply, error: unknown, requirements: Requirements): void {
  const { status, headers, body } = describeRefusal(error, requirements, reply.request.id)
  reply.code(status).headers(headers).send(body)
}

/** A new error for each request, with the headers that Fastify's error handler sends. */
function toHttpError({ code, claim, status }: TokenError): TokenError {
  const error = new TokenError(code, claim, status)
  const { 'www-authenticate': challenge } = describeRefusal(error).headers
  return challenge === undefined
    ? error
    : Object.assign(error, { headers: { 'www-authenticate': challenge } })
}

/** Throws if a plugin was registered earlier: hooks do not apply to it, so its routes stay open. */
function refuseEarlierPlugins(app: object): void {
  const symbol = Object.getOwnPropertySymbols(app).find(
    ({ description }) => description === 'fastify.children',
  )
  const children: unknown = symbol && (app as Record<symbol, unknown>)[symbol]
  if (Array.isArray(children) && children.length > 0) {
    throw new Error(
      'register @latchkey/verify/fastify first: routes of plugins registered before it would need no token',
    )
  }
}
