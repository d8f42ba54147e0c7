import type { Keyring } from '@latchkey/verify'
import { createMacTokens, sessionIdFromBytes, sessionIdToBytes } from './mac-token.ts'
import type { Session } from './store.ts'

/** The part of a session that its refresh token contains. */
export type RefreshToken = Pick<Session, 'sessionId' | 'generation'>

/**
 * Makes and reads refresh tokens: `lkr_` + base64url(session id ‖ generation ‖ HMAC-SHA-256 of
 * both).
 *
 * A leaked database contains nothing to make a token from. Nothing is random: the same generation of
 * a session is always the same token, so a repeated request gets the same successor.
 */
export function createRefreshTokens(keyring: Keyring) {
  const info = 'latchkey refresh token v1'
  const tokens = createMacTokens(keyring, { prefix: 'lkr_', info, bodyBytes: 16 + 4 })
  return {
    format({ sessionId, generation }: RefreshToken): string {
      const body = Buffer.alloc(20)
      sessionIdToBytes(sessionId).copy(body)
      body.writeUInt32BE(generation, 16)
      return tokens.format(body)
    },
    parse(text: string): RefreshToken | undefined {
      const body = tokens.parse(text)
      return body && { sessionId: sessionIdFromBytes(body), generation: body.readUInt32BE(16) }
    },
  }
}
