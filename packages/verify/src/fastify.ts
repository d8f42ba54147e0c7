import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { checkRequest } from './bearer.ts'
import { describeRefusal } from './refusal.ts'
import { authorize, checkRequirements, type Requirements } from './requirements.ts'
import { TokenError } from './token/error.ts'
import type { Claims, RegisteredClaims } from './token/types.ts'
import { createVerifier, type Verifier, type VerifierOptions } from './verifier.ts'

/** What `request.user` holds. */
export type User = Claims & Readonly<RegisteredClaims>

/** Options of the plugin: a verifier, or the options of one. */
export type LatchkeyOptions = { verifier: Verifier } | VerifierOptions

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * The verified claims; null on a public route, until `jwtVerify` has succeeded.
     *
     * @ts-ignore: @fastify/jwt, where it is installed to sign, declares its own
     */
    user: User
    /**
     * Verifies the request's token, for public routes that treat signed-in users differently.
     *
     * @throws TokenError, which Fastify's error handler turns into the right status and challenge
     * @ts-ignore: as above
     */
    jwtVerify: () => Promise<User>
  }
  interface FastifyContextConfig extends Requirements {
    /** Opens the route to everybody. */
    public?: boolean
  }
}

/**
 * Protects every route of the instance it is registered on, and of the plugins registered there afterwards: no
 * route answers without a good token unless it says `config: { public: true }`. A route asks for more with
 * `config: { scopes: […], roles: […] }`. Requests that no route matches are left to the not-found handler.
 *
 * Refusals are answered at once, as RFC 6750 and RFC 9457 say, before a body is read.
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
      throw new TypeError(
        `${method} ${url} is public and asks for scopes or roles: it cannot do both`,
      )
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
      request.log.error({ err }, 'a token could not be verified')
      return answer(reply, err, config)
    }
    next()
  })
}

// What fastify-plugin does: the hooks and decorators belong to the instance that registers the plugin.
Object.assign(latchkey, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: '@latchkey/verify',
  [Symbol.for('plugin-meta')]: { name: '@latchkey/verify', fastify: '5.x' },
})

/** @alias */
export default latchkey

function answer(reply: FastifyReply, error: unknown, requirements: Requirements): void {
  const { status, headers, body } = describeRefusal(error, requirements, reply.request.id)
  reply.code(status).headers(headers).send(body)
}

/** An error of its own for each request, with what Fastify's error handler looks for. */
function toHttpError({ code, claim, status }: TokenError): TokenError {
  const error = new TokenError(code, claim, status)
  const { 'www-authenticate': challenge } = describeRefusal(error).headers
  return challenge === undefined
    ? error
    : Object.assign(error, { headers: { 'www-authenticate': challenge } })
}

/**
 * Hooks do not reach plugins that were registered before: their routes would stay open, silently.
 *
 * @throws Error when there are such plugins
 */
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
