import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { generateRandomCodeVerifier, generateRandomState } from 'oauth4webapi'
import { type Context, loginUrl, toPath } from './context.ts'
import { ownRoute } from './guard.ts'
import { type ProblemCode, sendProblem } from './problems.ts'
import { resolveReturnTo } from './return-to.ts'

/** Marks the state of a login that was begun because the cookie of another one was missing. */
const againPrefix = 'again.'

/** Login by authorization code with PKCE (OAuth 2.1), for browsers. */
export const loginRoutes: FastifyPluginAsync<Context> = async (app, context) => {
  const { settings, auth, sessions, logins } = context
  const { base, verifier } = settings

  app.get('/auth/login', ownRoute, async (request, reply) => {
    const query = readQuery(request)
    const login = {
      state: (query.has('again') ? againPrefix : '') + generateRandomState(),
      codeVerifier: generateRandomCodeVerifier(),
      returnTo: toPath(resolveReturnTo(query.get('returnTo'), base), base),
    }
    await logins.save(request, reply, login)
    return redirect(reply, await auth.describeLogin(login), 302)
  })

  app.get('/auth/callback', ownRoute, async (request, reply) => {
    const answer = readQuery(request)
    const state = answer.get('state') ?? ''
    const login = await logins.take(request, reply, state)
    if (login === undefined) return beginAgain(request, reply, state)
    const returnTo = resolveReturnTo(login.returnTo, base)
    const fail = (code: ProblemCode) => sendProblem(reply, code, loginUrl(settings, returnTo))
    if (sessions.isAmbiguous(request)) return fail('session_ambiguous')
    const tokens = await auth.redeem(answer, login, request.log)
    if (tokens === 'refused') return fail('login_refused')
    if (tokens === 'unavailable') return fail('auth_unavailable')
    const result = verifier.check(tokens.accessToken)
    if (!result.ok) {
      request.log.warn({ code: result.error.code }, 'the verifier refused a new access token')
      return fail(result.error.status === 401 ? 'login_refused' : 'auth_unavailable')
    }
    if (!(await sessions.save(reply, tokens))) return fail('session_too_large')
    return redirect(reply, returnTo.href, 303)
  })

  /**
   * Answers a callback whose login this browser has not begun: a bookmark, the back button, or a link
   * of an attacker, whose code is not used.
   */
  async function beginAgain(request: FastifyRequest, reply: FastifyReply, state: string) {
    if (await sessions.find(request)) return redirect(reply, base.href, 303)
    // A browser without cookies would be sent in circles.
    if (state.startsWith(againPrefix)) {
      return sendProblem(reply, 'login_interrupted', loginUrl(settings))
    }
    return redirect(reply, `${loginUrl(settings)}?again`, 303)
  }
}

/** The query of a request, whatever parser the app has. */
const readQuery = ({ url }: FastifyRequest): URLSearchParams =>
  new URLSearchParams(url.split('?').slice(1).join('?'))

function redirect(reply: FastifyReply, url: string, status: 302 | 303): FastifyReply {
  reply.headers({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' })
  return reply.redirect(url, status)
}
