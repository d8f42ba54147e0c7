import { signJwt } from '../encoding/sign-jwt.ts'
import type { ServiceKey } from '../keys/keyring.ts'
import { limits } from '../token/bounds.ts'

/**
 * The `typ` of client assertions, so that none passes for a token of another kind (RFC 8725 section
 * 3.11, draft-ietf-oauth-rfc7523bis).
 * @example
 * ```ts
 * import { clientAssertionType, createVerifier } from '@latchkey/verify'
 * const policy = { issuer: 'orders', audience: issuer, types: [clientAssertionType] }
 * const verifier = createVerifier({ keys: { file: 'keys.json' }, ...policy })
 * ```
 */
export const clientAssertionType = 'client-authentication+jwt'

/**
 * Signs a client assertion (RFC 7523 section 3), with which a service proves its name to auth. It is
 * valid for a minute. Claims: `iss` and `sub` are the service, `aud` is auth's issuer.
 *
 * @param key the `service` of a key set: the key that `latchkey keys export` derived for the service
 * @example
 * ```ts
 * import { openKeyring, signClientAssertion } from '@latchkey/verify'
 * const { service } = openKeyring('keys.json').current
 * if (service === undefined) throw new Error('keys.json has no key of this service')
 * const authorization = `Bearer ${await signClientAssertion(service, issuer)}`
 * ```
 */
export function signClientAssertion(key: ServiceKey, issuer: string): Promise<string> {
  const iat = Math.floor(Date.now() / 1000)
  const claims = {
    iss: key.service,
    sub: key.service,
    aud: issuer,
    exp: iat + limits.clientAssertionSeconds,
    iat,
    jti: crypto.randomUUID(),
  }
  return signJwt(key, { typ: clientAssertionType, claims })
}
