import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem } from '@latchkey/service-kit'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import type { AuthConfig } from '../config.ts'
import { endSession } from './end-session.ts'
import { invalidRefreshToken, reusedRefreshToken } from './problems.ts'
import { isLostSession } from './revoke-store.ts'
import { type Rotation, rotateSession, type Session } from './store.ts'
import { TokenReply } from './tokens.ts'

export const RefreshRequest = Type.Object(
  { refresh_token: Type.String({ maxLength: 200 }) },
  { additionalProperties: false },
)

/** Exchanges the refresh token of a session that belongs to no app. */
export const refreshRoute: FastifyPluginAsyncTypebox = async (app) => {
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
      const session = await refreshSession(request, request.body.refresh_token, null)
      return app.issueTokens(session, reply)
    },
  )
}

/**
 * Rotates a refresh token (RFC 6749 section 6; reuse: RFC 9700 section 4.14.2): one statement.
 *
 * @param clientId the client that has authenticated; a token of another one is not valid
 * @throws ProblemError 401 `refresh_token_invalid`, `refresh_token_reused`
 */
export async function refreshSession(
  request: FastifyRequest,
  refreshToken: string,
  clientId: string | null,
): Promise<Session> {
  const { server: app, log } = request
  const token = app.parseRefreshToken(refreshToken)
  const graceSeconds = graceSecondsOf(app.config)
  // A client whose answer was lost in an outage can only repeat its request after it.
  const lenientSeconds = graceSeconds + app.recentOutageSeconds(graceSeconds)
  const found = token && (await rotateSession(app.pipeline, { ...token, clientId }, lenientSeconds))
  // Of requests racing with an old token, one ends the session; the others come too late.
  const isLate = found?.reused && !(await endReused(request, found))?.wasOpen
  const session = isLate ? undefined : found
  const isLost = token && !session && (await isLostSession(app.db, token.sessionId))
  app.counters.refreshes.inc({ result: isLost ? 'lost' : resultOf(session) })
  if (isLost) log.warn({ sid: token.sessionId }, 'the database has lost this session')
  if (!session) throw invalidRefreshToken()
  if (session.reused) {
    log.warn({ sid: session.sessionId }, 'old refresh token reused; session revoked')
    throw reusedRefreshToken()
  }
  return session
}

/** Shorter than a token lives: otherwise a thief could get tokens without a gap and never rotate. */
const graceSecondsOf = (config: AuthConfig): number =>
  Math.min(config.LATCHKEY_REFRESH_GRACE_SECONDS, config.LATCHKEY_ACCESS_TOKEN_TTL_SECONDS / 2)

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
