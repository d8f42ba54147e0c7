import { signJwt } from '../encoding/sign-jwt.ts'
import type { HmacKey } from '../keys/keyring.ts'
import { limits } from '../token/bounds.ts'

/**
 * Mints the token with which a service polls an auth service that has no root key, as before version
 * 0.2: any holder of the shared secret can act as any service.
 */
export function mintServiceToken(
  key: HmacKey,
  { issuer, service, audience }: { issuer: string; service: string; audience: string },
): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    iss: issuer,
    sub: `service:${service}`,
    aud: [audience],
    exp: now + limits.serviceTokenMarginSeconds,
    iat: now - limits.serviceTokenMarginSeconds,
    jti: crypto.randomUUID(),
    scope: 'revocations:read',
  }
  return signJwt(key, { typ: 'at+jwt', claims })
}
