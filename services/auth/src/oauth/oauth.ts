import formbody from '@fastify/formbody'
import type { Verifier } from '@latchkey/verify'
import type { FastifyPluginAsync } from 'fastify'
import { answerOAuthError, OAuthError } from './errors.ts'
import { revokeRoute } from './revoke.ts'
import { tokenRoute } from './token.ts'

export interface OAuthOptions {
  /** Verifies client assertions. */
  assertions: Verifier
  /** Verifies access tokens for any audience. */
  accessTokens: Verifier
}

/** What clients call, without a browser: forms in, JSON out, refusals as in RFC 6749 section 5.2. */
export const oauth: FastifyPluginAsync<OAuthOptions> = async (
  app,
  { assertions, accessTokens },
) => {
  app.removeAllContentTypeParsers()
  await app.register(formbody)
  app.setErrorHandler(answerOAuthError)
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store').header('pragma', 'no-cache')
  })
  // A parameter without a value counts as left out (RFC 6749 section 3.1).
  app.addHook('preValidation', async ({ body }) => {
    if (body === undefined) throw new OAuthError('invalid_request', 'The form is missing.')
    const parameters = body as Record<string, unknown>
    for (const name of Object.keys(parameters)) if (parameters[name] === '') delete parameters[name]
  })
  app.register(tokenRoute, { assertions })
  app.register(revokeRoute, { assertions, accessTokens })
}
