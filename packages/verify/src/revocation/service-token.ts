import { encodeBase64url } from '../encoding/base64url.ts'
import type { Keyring } from '../keys/keyring.ts'

/**
 * A token that a service mints for itself is for one call. It holds so long before and after, in seconds, that a
 * clock which is wrong does not keep the revocations from whoever polls them.
 */
const MARGIN_SECONDS = 60

/** The audience of the auth service's own routes. */
export const authAudience = 'latchkey:auth'

/** For whom and for what a service mints a token. */
export interface ServiceTokenOptions {
  issuer: string
  /** The service's name: `orders` becomes the subject `service:orders`. */
  service: string
  audience: string
  scope: string
}

/**
 * Mints a short-lived access token for a service itself, signed with the keyring's first key: whoever
 * shares the secret may speak for a service.
 */
export async function mintServiceToken(
  keyring: Pick<Keyring, 'current'>,
  { issuer, service, audience, scope }: ServiceTokenOptions,
): Promise<string> {
  const { kid, secret } = keyring.current.signing
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    iss: issuer,
    sub: `service:${service}`,
    aud: [audience],
    exp: now + MARGIN_SECONDS,
    iat: now - MARGIN_SECONDS,
    jti: crypto.randomUUID(),
    scope,
  }
  const text = new TextEncoder()
  const encode = (value: object) => encodeBase64url(text.encode(JSON.stringify(value)))
  const input = `${encode({ alg: 'HS256', typ: 'at+jwt', kid })}.${encode(claims)}`
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', Uint8Array.from(secret), algorithm, false, [
    'sign',
  ])
  const mac = await crypto.subtle.sign('HMAC', key, text.encode(input))
  return `${input}.${encodeBase64url(new Uint8Array(mac))}`
}
