import type { FastifyPluginAsync } from 'fastify'
import { describeError } from './auth-client.ts'
import type { Context } from './context.ts'
import { ownRoute } from './guard.ts'
import { isSameOrigin } from './origin.ts'
import { sendProblem } from './problems.ts'

/**
 * Signs the browser out of this app, and sends it to the page of auth that signs it out everywhere.
 * Only a form of the app itself does so: a GET ends nothing.
 */
export const logoutRoute: FastifyPluginAsync<Context> = async (app, context) => {
  const { settings, auth, sessions } = context
  const { base, issuerUrl, clientId } = settings
  // A form without fields, or a fetch with any body.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string', bodyLimit: 1_024 }, (_request, _body, done) =>
    done(null),
  )

  app.post('/auth/logout', ownRoute, async (request, reply) => {
    if (!isSameOrigin(request, base)) return sendProblem(reply, 'cross_site_request', base)
    const tokens = await sessions.find(request)
    if (tokens !== undefined) {
      await auth.revoke(tokens).catch((err) => {
        request.log.warn({ err: describeError(err) }, 'session was not revoked at auth')
      })
    }
    sessions.clear(reply)
    const query = new URLSearchParams({ client_id: clientId })
    return reply.header('cache-control', 'no-store').redirect(`${issuerUrl}/logout?${query}`, 303)
  })
}
