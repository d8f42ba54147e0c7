import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { type Static, Type } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import { renderLogout, renderSignedOut } from '../pages/templates/logout.ts'
import { findBrowserSession } from '../sessions/browser-store.ts'
import { endSession } from '../sessions/end-session.ts'
import { redirectUriUnregistered } from './authorize.ts'
import { findOAuthClient } from './clients-store.ts'
import { readIdTokenHint } from './id-token.ts'
import { addParameters, isRegisteredUri } from './redirect-uri.ts'

const LogoutRequest = Type.Object({
  client_id: Type.Optional(Type.String({ maxLength: 64 })),
  id_token_hint: Type.Optional(Type.String({ maxLength: 8_192 })),
  post_logout_redirect_uri: Type.Optional(Type.String({ maxLength: 600 })),
  state: Type.Optional(Type.String({ maxLength: 2_048, pattern: '^[ -~]*$' })),
})
type LogoutRequest = Static<typeof LogoutRequest>

/**
 * Ends the session of a browser, and those of the apps below it (OpenID Connect RP-Initiated Logout
 * 1.0). A link alone ends nothing: a stranger's page can contain it.
 */
export const logoutPage: FastifyPluginAsyncTypebox = async (app) => {
  const { db } = app

  app.get('/logout', { schema: { querystring: LogoutRequest } }, async (request, reply) => {
    const { query, texts, browserSessionId } = request
    const returnTo = await findReturn(app, query)
    const session = browserSessionId && (await findBrowserSession(db, browserSessionId))
    if (!session) return finish(reply, returnTo)
    const page = renderLogout(texts, { email: session.email, hidden: query })
    return reply.sendPage(
      returnTo === undefined ? page : { ...page, formAction: new URL(returnTo).protocol },
    )
  })

  app.post(
    '/logout',
    { schema: { operationId: 'logout', body: LogoutRequest } },
    async (request, reply) => {
      const { body, browserSessionId: sessionId } = request
      const returnTo = await findReturn(app, body)
      if (sessionId !== undefined) {
        await endSession(app, { sessionId, event: describeEvent(request, { actor: 'user' }) })
      }
      reply.rememberSession(undefined)
      return finish(reply, returnTo)
    },
  )
}

const finish = (reply: FastifyReply, returnTo: string | undefined) =>
  returnTo === undefined
    ? reply.sendPage(renderSignedOut(reply.request.texts))
    : reply.redirect(returnTo, 303)

/**
 * Where the browser goes after the logout, if an app has asked for that.
 *
 * @throws ProblemError 400 `redirect_uri_unregistered`
 */
async function findReturn(
  { db, keyring, config }: FastifyInstance,
  { client_id, id_token_hint: hint, post_logout_redirect_uri: uri, state }: LogoutRequest,
): Promise<string | undefined> {
  if (uri === undefined) return undefined
  const id = client_id ?? (hint && (await readIdTokenHint(keyring, config.LATCHKEY_ISSUER, hint)))
  const client = id ? await findOAuthClient(db, id) : undefined
  const isAllowed = client && !client.disabled && isRegisteredUri(client.postLogoutUris, uri)
  if (!isAllowed) throw redirectUriUnregistered()
  return state === undefined ? uri : addParameters(uri, { state })
}
