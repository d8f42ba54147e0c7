import { encodeBase64url, encodeJson } from './base64url.ts'

const HMAC = { name: 'HMAC', hash: 'SHA-256' }

/** Signs a JWT with HMAC-SHA-256 by WebCrypto, which every runtime has. */
export async function signJwt(
  { kid, secret }: { readonly kid: string; readonly secret: Uint8Array },
  { typ, claims }: { readonly typ: string; readonly claims: object },
): Promise<string> {
  const input = [{ alg: 'HS256', typ, kid }, claims].map(encodeJson).join('.')
  const key = await crypto.subtle.importKey('raw', Uint8Array.from(secret), HMAC, false, ['sign'])
  const signature = await crypto.subtle.sign(HMAC, key, new TextEncoder().encode(input))
  return `${input}.${encodeBase64url(new Uint8Array(signature))}`
}
