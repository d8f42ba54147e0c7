import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ProblemError } from '@latchkey/service-kit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { perBrowser } from '../limits/per-browser.ts'
import { type BrowserSession, findBrowserSession } from '../sessions/browser-store.ts'
import {
  AuthorizationError,
  type AuthorizationRequest,
  type LoginDemand,
  type Parameters,
  readAuthorizationRequest,
} from './authorization-request.ts'
import { findOAuthClient, type OAuthClient } from './clients-store.ts'
import { createCode } from './codes-store.ts'
import { asksForIdToken } from './id-token.ts'
import { addParameters, isRegisteredUri } from './redirect-uri.ts'
import { loginExpired, sealRequest } from './seal.ts'

/** A code is a row, which is kept for an hour. */
const maxCodesPerMinute = 300

/**
 * The authorization endpoint (RFC 6749 section 3.1). A browser that has signed in gets a code; any
 * other one is sent to the login page with the request sealed.
 *
 * A request with a wrong client or redirect URI is answered by a page: an attacker may have chosen
 * the URI.
 */
export const authorizeRoute: FastifyPluginAsyncTypebox = async (app) => {
  const { keyring, config } = app
  const options = { config: { rateLimit: perBrowser(maxCodesPerMinute) } }
  app.get('/oauth/authorize', options, async (request, reply) => {
    const parameters = request.query as Parameters
    const { client, redirectUri } = await identifyClient(app, parameters)
    try {
      const checked = readAuthorizationRequest(parameters, client, redirectUri)
      if (asksForIdToken(checked.scope) && keyring.current.idTokenKeys.length === 0) {
        throw new AuthorizationError('invalid_scope', 'This server issues no ID tokens.')
      }
      const session = await findUsableSession(request, checked)
      if (session) return await answerWithCode(app, reply, checked, session.sessionId)
      const sealed = await sealRequest(keyring, checked)
      // Relative to this page.
      return reply.redirect(`../login?request=${sealed}`, 303)
    } catch (err) {
      if (!(err instanceof AuthorizationError)) throw err
      reply.problemCode = err.error
      const { state } = parameters
      return redirectTo(reply, config.LATCHKEY_ISSUER, redirectUri, {
        error: err.error,
        error_description: err.message,
        state: typeof state === 'string' ? state : undefined,
      })
    }
  })
}

/**
 * The client of a request, and where its answer may go.
 *
 * @throws ProblemError 400 `client_unknown`, `redirect_uri_unregistered`
 */
export async function identifyClient(
  { db }: FastifyInstance,
  { client_id: id, redirect_uri: redirectUri }: Parameters,
): Promise<{ client: OAuthClient; redirectUri: string }> {
  const client = typeof id === 'string' && id ? await findOAuthClient(db, id) : undefined
  if (client === undefined || client.disabled) throw clientUnknown()
  if (typeof redirectUri !== 'string' || !isRegisteredUri(client.redirectUris, redirectUri)) {
    throw redirectUriUnregistered()
  }
  return { client, redirectUri }
}

/**
 * The session of the browser, if it satisfies the request.
 *
 * @throws AuthorizationError `login_required` when the user would have to be asked, but may not be
 */
async function findUsableSession(
  { server, browserSessionId }: FastifyRequest,
  { prompt, maxAgeSeconds = Number.POSITIVE_INFINITY }: LoginDemand,
): Promise<BrowserSession | undefined> {
  const found =
    prompt === 'login' || browserSessionId === undefined
      ? undefined
      : await findBrowserSession(server.db, browserSessionId)
  const session = found && found.ageSeconds <= maxAgeSeconds ? found : undefined
  if (session === undefined && prompt === 'none') {
    throw new AuthorizationError('login_required', 'The user has to log in.')
  }
  return session
}

/**
 * Sends the browser back to the app with a code (RFC 6749 section 4.1.2).
 *
 * @throws ProblemError 400 `login_expired` when the session or the client has ended meanwhile
 */
export async function answerWithCode(
  { db, config }: FastifyInstance,
  reply: FastifyReply,
  request: AuthorizationRequest,
  sessionId: string,
): Promise<FastifyReply> {
  const { redirectUri, state } = request
  const code = await createCode(db, sessionId, request)
  if (code === undefined) throw loginExpired()
  return redirectTo(reply, config.LATCHKEY_ISSUER, redirectUri, { code, state })
}

/** Redirects to an app, and names the issuer against mix-up attacks (RFC 9207). */
function redirectTo(
  reply: FastifyReply,
  issuer: string,
  redirectUri: string,
  answer: Record<string, string | undefined>,
): FastifyReply {
  const present = Object.entries({ ...answer, iss: issuer }).filter(([, value]) => value)
  const parameters = Object.fromEntries(present as [string, string][])
  // 303, so that the browser does not send a password on (RFC 9700 section 4.12).
  return reply.redirect(addParameters(redirectUri, parameters), 303)
}

const clientUnknown = () =>
  new ProblemError(
    400,
    'client_unknown',
    'The app that sent you here is not registered, or it is disabled.',
  )

/** The answer to an address that an app has not registered. */
export const redirectUriUnregistered = () =>
  new ProblemError(
    400,
    'redirect_uri_unregistered',
    'The app that sent you here asked for an answer to an address that it has not registered.',
  )
