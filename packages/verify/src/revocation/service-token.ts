import { encodeJson } from '../encoding/base64url.ts'
import type { Keyring } from '../keys/keyring.ts'
import { checkNames } from '../options/check-names.ts'
import { limits } from '../token/bounds.ts'
import { signWithWebCrypto, webPlatform } from '../token/web-platform.ts'

/**
 * The audience of the auth service's own routes.
 * @example
 * ```ts
 * import { authAudience, createVerifier } from '@latchkey/verify'
 * const verifier = createVerifier({ keys: { file: 'keys.json' }, issuer, audience: authAudience })
 * ```
 */
export const authAudience = 'latchkey:auth'

/**
 * Options of `mintServiceToken`.
 * @example
 * ```ts
 * import type { ServiceTokenOptions } from '@latchkey/verify'
 * const call: ServiceTokenOptions = { issuer, service: 'orders', audience: 'mail', scope: 'send' }
 * ```
 */
export interface ServiceTokenOptions {
  issuer: string
  /** The service's name: `orders` becomes the subject `service:orders`. */
  service: string
  audience: string
  scope: string
}

const OPTIONS = ['issuer', 'service', 'audience', 'scope'] as const

/**
 * Mints a short-lived access token for the service itself, signed with the keyring's signing key.
 * Anyone who has the shared secret can act as any service.
 *
 * @throws TypeError when an option is unknown, missing or empty
 * @example
 * ```ts
 * import { authAudience, mintServiceToken, openKeyring } from '@latchkey/verify'
 * const options = { issuer, service: 'orders', audience: authAudience, scope: 'keys:read' }
 * const token = await mintServiceToken(openKeyring('keys.json'), options)
 * ```
 */
export async function mintServiceToken(
  keyring: Pick<Keyring, 'current'>,
  options: ServiceTokenOptions,
): Promise<string> {
  checkNames(options, 'option', OPTIONS)
  for (const name of OPTIONS) {
    if (typeof options[name] === 'string' && options[name] !== '') continue
    throw new TypeError(`${name} must be a non-empty string`)
  }
  const { issuer, service, audience, scope } = options
  const { signing } = keyring.current
  const now = Math.floor(Date.now() / 1000)
  const header = { alg: 'HS256', typ: 'at+jwt', kid: signing.kid }
  const claims = {
    iss: issuer,
    sub: `service:${service}`,
    aud: [audience],
    exp: now + limits.serviceTokenMarginSeconds,
    iat: now - limits.serviceTokenMarginSeconds,
    jti: crypto.randomUUID(),
    scope,
  }
  const input = [header, claims].map(encodeJson).join('.')
  return `${input}.${await signWithWebCrypto(webPlatform.makeKey(signing, input.length), input)}`
}
