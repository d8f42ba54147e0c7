import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem } from '@latchkey/service-kit'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import { endSession } from './end-session.ts'
import { invalidRefreshToken, reusedRefreshToken } from './problems.ts'
import { isLostSession } from './revoke-store.ts'
import { type Rotation, rotateSession } from './store.ts'
import { TokenReply } from './tokens.ts'

export const RefreshRequest = Type.Object(
  { refresh_token: Type.String({ maxLength: 200 }) },
  { additionalProperties: false },
)

/** Rotates a refresh token (RFC 6749 section 6; reuse: RFC 9700 section 4.14.2): one statement. */
export const refreshRoute: FastifyPluginAsyncTypebox = async (app) => {
  const { config, counters, db } = app
  // Shorter than a token lives: otherwise a thief could get tokens without a gap and never rotate.
  const graceSeconds = Math.min(
    config.LATCHKEY_REFRESH_GRACE_SECONDS,
    config.LATCHKEY_ACCESS_TOKEN_TTL_SECONDS / 2,
  )

  app.post(
    '/refresh',
    {
      config: { public: true },
      schema: {
        tags: ['sessions'],
        operationId: 'refresh',
        summary: 'Exchange a refresh token for a new pair of tokens',
        body: RefreshRequest,
        response: { 200: TokenReply, 401: Problem },
      },
    },
    async (request, reply) => {
      const token = app.parseRefreshToken(request.body.refresh_token)
      // A client whose answer was lost in an outage can only repeat its request after it.
      const lenientSeconds = graceSeconds + app.recentOutageSeconds(graceSeconds)
      const found = token && (await rotateSession(app.pipeline, token, lenientSeconds))
      // Of requests racing with an old token, one ends the session; the others come too late.
      const isLate = found?.reused && !(await endReused(request, found))?.wasOpen
      const session = isLate ? undefined : found
      const isLost = token && !session && (await isLostSession(db, token.sessionId))
      counters.refreshes.inc({ result: isLost ? 'lost' : resultOf(session) })
      if (isLost) request.log.warn({ sid: token.sessionId }, 'the database has lost this session')
      if (!session) throw invalidRefreshToken()
      if (session.reused) {
        request.log.warn({ sid: session.sessionId }, 'old refresh token reused; session revoked')
        throw reusedRefreshToken()
      }
      return app.issueTokens(session, reply)
    },
  )
}

/** Ends a session whose old token was presented: it may have been stolen. */
function endReused(request: FastifyRequest, { sessionId }: Rotation) {
  const event = describeEvent(request, { actor: 'anonymous', result: 'refused' })
  return endSession(request.server, { sessionId, event: { ...event, detail: { reused: true } } })
}

function resultOf(session: Rotation | undefined): string {
  if (!session) return 'invalid'
  if (session.reused) return 'reused'
  return session.recovered ? 'recovered' : 'ok'
}
