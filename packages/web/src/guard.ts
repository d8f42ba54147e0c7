import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Answer, Tokens } from './auth-client.ts'
import { type Context, loginUrl } from './context.ts'
import { namePrefix } from './cookies.ts'
import { isNavigation, isSameOrigin, isUnsafe } from './origin.ts'
import { sendProblem } from './problems.ts'

/** A token is replaced this long before it expires. */
const refreshAheadSeconds = 30

const OWN = Symbol('@latchkey/web')

/** Options of the plugin's own routes: they need no session, and a HEAD request does nothing. */
export const ownRoute = {
  config: { public: true, [OWN]: true },
  exposeHeadRoute: false,
  // For @fastify/swagger, whose types an app may lack: pages are not part of an API.
  schema: { hide: true } as object,
}

const isOwnRoute = ({ routeOptions: { config } }: FastifyRequest): boolean => OWN in config

/** Whether the route of a request requires a token. */
const isProtected = ({ routeOptions: { config }, is404 }: FastifyRequest): boolean =>
  config.public !== true || is404

/** The two hooks around `@latchkey/verify/fastify`, which verifies the tokens. */
export class Guard {
  readonly #context: Context
  /** Requests with an Authorization header of their own. */
  readonly #apiCalls = new WeakSet<FastifyRequest>()

  constructor(context: Context) {
    this.#context = context
  }

  /** Puts the access token of the session cookie into the Authorization header of a request. */
  async attachToken(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const { settings, sessions, addressOf } = this.#context
    if (isOwnRoute(request)) return
    if (request.headers.authorization !== undefined) return void this.#apiCalls.add(request)
    const tokens = await sessions.find(request)
    if (tokens === undefined) return
    if (isUnsafe(request) && !isSameOrigin(request, settings.base)) {
      return isProtected(request)
        ? sendProblem(reply, 'cross_site_request', settings.base)
        : undefined
    }
    const current = await this.#renew(request, reply, tokens)
    if (current === 'unavailable') {
      return isProtected(request)
        ? sendProblem(reply, 'auth_unavailable', addressOf(request))
        : undefined
    }
    if (current !== 'refused') request.raw.headers.authorization = `Bearer ${current.accessToken}`
  }

  /**
   * Shows signed-out users the way to the login: a redirect for navigations, else the member
   * `login_url` of the problem document.
   */
  async finish(request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
    const { settings, addressOf } = this.#context
    if (isOwnRoute(request) || this.#apiCalls.has(request)) return payload
    this.#forbidCaches(request, reply)
    if (reply.statusCode !== 401 || reply.refusalCode === undefined) return payload
    if (isNavigation(request)) {
      reply.code(302).header('location', loginUrl(settings, addressOf(request)).href)
      reply.removeHeader('www-authenticate')
      reply.removeHeader('content-type')
      return ''
    }
    if (typeof payload !== 'string') return payload
    return JSON.stringify({ ...JSON.parse(payload), login_url: loginUrl(settings).href })
  }

  /** The tokens to continue with. New ones are saved; those that auth refuses are cleared. */
  async #renew(request: FastifyRequest, reply: FastifyReply, tokens: Tokens): Promise<Answer> {
    const { settings, sessions, auth } = this.#context
    const result = settings.verifier.check(tokens.accessToken)
    // Other refusals than 401 are not about this token: new ones would be refused as well.
    const isRefused = !result.ok && result.error.status === 401
    const secondsLeft = result.ok ? result.claims.exp - Date.now() / 1000 : Infinity
    // The answer to a WebSocket's handshake cannot carry a cookie, so new tokens would get lost.
    if (request.headers.upgrade || (!isRefused && secondsLeft >= refreshAheadSeconds)) return tokens
    const next = await auth.refresh(tokens, request.log)
    if (next === 'unavailable') return isRefused ? next : tokens
    if (next !== 'refused' && (await sessions.save(reply, next))) return next
    sessions.clear(reply)
    return 'refused'
  }

  /** Unlike an Authorization header (RFC 9111 section 3.5), a cookie does not prevent caching. */
  #forbidCaches(request: FastifyRequest, reply: FastifyReply): void {
    const isCookieSet = String(reply.getHeader('set-cookie')).includes(
      namePrefix(this.#context.settings),
    )
    if (isCookieSet || (isProtected(request) && !reply.hasHeader('cache-control'))) {
      reply.header('cache-control', 'no-store')
    }
  }
}
