import { Type } from 'typebox'
import type { AccessTokens } from '../tokens/access-token.ts'
import type { RefreshTokens } from '../tokens/refresh-token.ts'
import type { Session } from './store.ts'

/** The body of a successful login or refresh (RFC 6749 section 5.1). */
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

/** Issues both tokens of a session, and forbids caches to store them (RFC 6749 section 5.1). */
export function replyWithTokens(
  reply: { header(name: string, value: string): unknown },
  { accessTokens, refreshTokens }: { accessTokens: AccessTokens; refreshTokens: RefreshTokens },
  session: Session,
) {
  reply.header('cache-control', 'no-store')
  return {
    access_token: accessTokens.issue(session),
    token_type: 'Bearer' as const,
    expires_in: accessTokens.ttlSeconds,
    refresh_token: refreshTokens.format(session),
    scope: session.scope,
  }
}
