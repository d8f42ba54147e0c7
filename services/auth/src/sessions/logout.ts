import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { isUuid, NoContent, Problem } from '@latchkey/service-kit'
import { Type } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import { endSession } from './end-session.ts'
import { invalidRefreshToken, sessionEnded } from './problems.ts'
import { RefreshRequest } from './refresh.ts'
import { revokeLostSession } from './revoke-store.ts'

/** Everything is optional: some clients send `{}` or `null` where there is nothing to send. */
const LogoutRequest = Type.Optional(
  Type.Union([Type.Null(), Type.Partial(RefreshRequest, { additionalProperties: false })]),
)

/**
 * Ends the session of the presented token: the refresh token in the body, which also works after
 * the access token has expired, or else the access token. Ending a session twice is not an error.
 */
export const logoutRoute: FastifyPluginAsyncTypebox = async (app) => {
  const { config, db } = app
  const maxAgeSeconds = config.LATCHKEY_SESSION_TTL_SECONDS
  const endLost = (sessionId: string) =>
    app.revoking(
      () => revokeLostSession(db, { sessionId, maxAgeSeconds }),
      () => [],
    )

  app.post(
    '/logout',
    {
      config: { public: true },
      schema: {
        tags: ['sessions'],
        operationId: 'logout',
        summary: 'Log out: end the session of the presented token',
        body: LogoutRequest,
        response: { 204: NoContent, 401: Problem },
      },
    },
    async (request, reply) => {
      const refreshToken = request.body?.refresh_token
      if (refreshToken !== undefined) {
        const token = app.parseRefreshToken(refreshToken)
        if (!token) throw invalidRefreshToken()
        const { sessionId } = token
        const event = describeEvent(request, { actor: 'user' })
        if (!(await endSession(app, { sessionId, event }))) await endLost(sessionId)
      } else {
        await request.jwtVerify()
        const { sid, sub } = request.user
        if (sid === undefined || !isUuid(sid) || !isUuid(sub)) throw sessionEnded()
        const event = describeEvent(request)
        if (!(await endSession(app, { sessionId: sid, userId: sub, event }))) throw sessionEnded()
      }
      return reply.code(204).send(null)
    },
  )
}
