import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { isUuid } from '@latchkey/service-kit'
import type { Verifier } from '@latchkey/verify'
import { Type } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import { endSession } from '../sessions/end-session.ts'
import { authenticateClient, ClientParameters } from './client-authentication.ts'

interface RevokeOptions {
  assertions: Verifier
  /** Accepts access tokens for any audience. */
  accessTokens: Verifier
}

/**
 * The revocation endpoint (RFC 7009): ends the session of a refresh token or access token that the
 * client has got, with both of its tokens. Any other token is answered alike.
 */
export const revokeRoute: FastifyPluginAsyncTypebox<RevokeOptions> = async (
  app,
  { assertions, accessTokens },
) => {
  app.post(
    '/revoke',
    {
      config: { public: true },
      schema: {
        operationId: 'revoke',
        body: Type.Object({ ...ClientParameters, token: Type.String({ maxLength: 8_192 }) }),
      },
    },
    async (request, reply) => {
      const { id: clientId } = await authenticateClient(request, assertions)
      const sessionId = findSessionId(request.body.token)
      if (sessionId !== undefined) {
        const event = describeEvent(request, { actor: 'user', detail: { client: clientId } })
        await endSession(app, { sessionId, clientId, event })
      }
      return reply.code(200).send()
    },
  )

  function findSessionId(token: string): string | undefined {
    const refreshToken = app.parseRefreshToken(token)
    if (refreshToken) return refreshToken.sessionId
    const result = accessTokens.check(token)
    const sid = result.ok ? result.claims.sid : undefined
    return sid !== undefined && isUuid(sid) ? sid : undefined
  }
}
