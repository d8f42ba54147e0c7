import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction } from '@latchkey/service-kit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { PageProblem } from '../pages/describe-problem.ts'
import { AppRequest, readTyped } from '../pages/read-typed.ts'
import type { Page } from '../pages/templates/layout.ts'
import { renderLogin } from '../pages/templates/login.ts'
import { Credentials } from '../passwords/credentials.ts'
import { findBrowserSession, replaceBrowserSession } from '../sessions/browser-store.ts'
import { logIn, passwordLogin } from '../sessions/log-in.ts'
import { invalidCredentials } from '../sessions/problems.ts'
import { answerWithCode, identifyClient } from './authorize.ts'
import { openRequest, type WaitingRequest } from './seal.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The authorization request that continues after the login. */
    waiting: WaitingRequest | undefined
  }
}

/**
 * The login page. It continues the authorization request that led to it; without one, it leads to the
 * account.
 */
export const loginPage: FastifyPluginAsyncTypebox = async (app) => {
  const { db } = app
  const limits = passwordLogin(app)
  app.decorateRequest('waiting', undefined)

  app.get(
    '/login',
    { schema: { querystring: Type.Object(AppRequest) } },
    async (request, reply) => {
      const { query, browserSessionId } = request
      await openWaiting(request)
      const session =
        query.request === undefined && browserSessionId !== undefined
          ? await findBrowserSession(db, browserSessionId)
          : undefined
      if (session) return reply.redirect('account', 303)
      return reply.sendPage(renderForm(request, { sealed: query.request }))
    },
  )

  app.post(
    '/login',
    {
      ...limits,
      config: { ...limits.config, form: showAgain },
      // First, so that the form can be shown again, whatever is wrong with the rest.
      preValidation: [openWaiting, limits.preValidation],
      schema: {
        operationId: 'login',
        body: Type.Object(
          { ...Credentials.properties, ...AppRequest },
          { additionalProperties: false },
        ),
      },
    },
    async (request, reply) => {
      const session = await logIn(request, request.body)
      if (!session) throw invalidCredentials()
      const { sessionId } = session
      await replaceSession(app, request.browserSessionId, sessionId)
      reply.rememberSession(sessionId)
      const { waiting } = request
      return waiting
        ? answerWithCode(app, reply, waiting, sessionId)
        : reply.redirect('account', 303)
    },
  )
}

/**
 * Opens the sealed request of a link or a form. The client is looked up again: since the request was
 * sealed, it may have been disabled, or have lost the redirect URI.
 *
 * @throws ProblemError 400 `login_expired`, `client_unknown`, `redirect_uri_unregistered`
 */
async function openWaiting(request: FastifyRequest): Promise<void> {
  const { request: sealed } = readTyped(request)
  if (sealed === undefined) return
  const waiting = await openRequest(request.server.keyring, sealed)
  const { clientId: client_id, redirectUri: redirect_uri } = waiting
  await identifyClient(request.server, { client_id, redirect_uri })
  request.waiting = waiting
}

/** The cookie changes with every login, so that one planted before is worth nothing. */
async function replaceSession(app: FastifyInstance, oldId: string | undefined, newId: string) {
  if (oldId === undefined) return
  await app.revoking(
    () =>
      inTransaction(app.db, (transaction) => replaceBrowserSession(transaction, { oldId, newId })),
    (ids) => ids,
  )
}

/** The form again, unless the request in it has expired. */
function showAgain(request: FastifyRequest, problem: PageProblem): Page | undefined {
  const { request: sealed, email } = request.body as { request?: string; email?: string }
  if (sealed !== undefined && request.waiting === undefined) return undefined
  return renderForm(request, { sealed, email, problem })
}

interface Shown {
  sealed?: string | undefined
  email?: string | undefined
  problem?: PageProblem
}

function renderForm(request: FastifyRequest, { sealed, email, problem }: Shown): Page {
  const { server, texts, waiting } = request
  const { config, registration } = server
  const page = renderLogin(texts, {
    request: sealed,
    app: waiting?.clientId,
    email: email ?? waiting?.loginHint,
    problem,
    canReset: config.LATCHKEY_SMTP_URL !== undefined,
    canRegister: registration !== 'closed',
  })
  return waiting ? { ...page, formAction: new URL(waiting.redirectUri).protocol } : page
}
