import type { FastifyInstance, FastifyReply } from 'fastify'
import { Type } from 'typebox'
import type { Session } from './store.ts'

/** A successful answer of `login` and `refresh` (RFC 6749 section 5.1). */
export const TokenReply = Type.Object(
  {
    access_token: Type.String(),
    token_type: Type.Literal('Bearer'),
    expires_in: Type.Integer({ description: 'Lifetime of the access token, in seconds.' }),
    refresh_token: Type.String(),
    scope: Type.String(),
  },
  { $id: 'TokenReply', title: 'TokenReply' },
)

/** Issues both tokens of a session; no cache may keep them (RFC 6749 section 5.1). */
export function replyWithTokens(app: FastifyInstance, reply: FastifyReply, session: Session) {
  reply.header('cache-control', 'no-store')
  return {
    access_token: app.issueAccessToken(session),
    token_type: 'Bearer' as const,
    expires_in: app.config.LATCHKEY_ACCESS_TOKEN_TTL_SECONDS,
    refresh_token: app.refreshTokens.format({
      sessionId: session.id,
      generation: session.generation,
    }),
    scope: session.scope,
  }
}
