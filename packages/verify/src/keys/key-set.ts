import { isObject, parseJson } from '../encoding/json.ts'
import {
  createKeySet,
  type HmacKey,
  type Key,
  KeyringError,
  type KeySet,
  type ServiceKey,
} from './keyring.ts'
import {
  type Jwk,
  malformed,
  readIdTokenKey,
  readSecret,
  readServiceKey,
  readTokenKey,
} from './read-jwk.ts'
import type { RsaKey } from './rsa-key.ts'

/**
 * Parses a JWK Set (RFC 7517 section 5). The first key for access tokens signs.
 *
 * A key whose `use` is missing or `sig` is for access tokens: `oct` with `alg` HS256, or `EC` with
 * `alg` ES256. The uses of `latchkey:refresh`, `latchkey:root`, `latchkey:service` and
 * `latchkey:id-token` are those of `KeySet`. Keys with another `use` are ignored. One bad key
 * refuses the whole set.
 *
 * @throws KeyringError which names the key and the rule, never a secret
 * @example
 * ```ts
 * import { createVerifier, parseKeySet } from '@latchkey/verify'
 * const current = parseKeySet(process.env.LATCHKEY_KEYS ?? '')
 * const verifier = createVerifier({ keys: { current }, issuer, audience: 'orders' })
 * ```
 */
export function parseKeySet(text: string): KeySet {
  const keys: Key[] = []
  const roots: HmacKey[] = []
  const idTokenKeys: RsaKey[] = []
  let refresh: HmacKey | undefined
  const serviceKeys: ServiceKey[] = []
  for (const [index, jwk] of readJwks(text).entries()) {
    switch (jwk.use) {
      case undefined:
      case 'sig':
        keys.push(readTokenKey(jwk, index))
        break
      case 'latchkey:root':
        roots.push(readSecret(jwk, index))
        break
      case 'latchkey:id-token':
        idTokenKeys.push(readIdTokenKey(jwk, index))
        break
      case 'latchkey:refresh':
        if (refresh !== undefined) throw malformed('more than one key for refresh tokens')
        refresh = readSecret(jwk, index)
        break
      case 'latchkey:service':
        serviceKeys.push(readServiceKey(jwk, index))
    }
  }
  if (new Set(serviceKeys.map(({ service }) => service)).size > 1) {
    throw malformed('keys of more than one service')
  }
  refuseSharedSecrets(keys, [...roots, refresh, ...serviceKeys])
  return createKeySet(keys, { serviceKeys, refresh, roots, idTokenKeys })
}

/** Most keys that are read from a server. */
const MAX_PUBLIC_KEYS = 100

/**
 * Parses a JWK Set that a server publishes. Only keys for ES256 are used; others are ignored (RFC
 * 7517 section 5), such as those of ID tokens. A secret or a private key refuses the set.
 *
 * @throws KeyringError when it is not a set of public keys, or has none for ES256
 */
export function parsePublicKeys(text: string): KeySet {
  const jwks = readJwks(text)
  if (jwks.length > MAX_PUBLIC_KEYS) throw malformed(`more than ${MAX_PUBLIC_KEYS} keys`)
  const keys: Key[] = []
  for (const [index, jwk] of jwks.entries()) {
    if (jwk.kty === 'oct' || 'k' in jwk || 'd' in jwk) {
      throw malformed(`key ${index + 1} is not a public key`)
    }
    const isForTokens = jwk.use === undefined || jwk.use === 'sig'
    if (jwk.alg === 'ES256' && isForTokens) keys.push(readTokenKey(jwk, index))
  }
  if (keys.length === 0) {
    const message = 'no published key verifies access tokens; auth publishes those for ES256 only'
    throw new KeyringError('keyring_empty', message)
  }
  return createKeySet(keys)
}

function readJwks(text: string): Jwk[] {
  if (typeof text !== 'string' || text.trim() === '') throw malformed('it is empty')
  if (text.startsWith('\ufeff')) {
    throw malformed('it starts with a byte order mark: save it as UTF-8 without one')
  }
  if (/[\0\ufffd]/.test(text)) throw malformed('it is not UTF-8 text')
  const document = parseJson(text)
  if (!isObject(document) || !Array.isArray(document.keys)) {
    throw malformed('not a JWK Set: expected {"keys":[…]} without duplicate members')
  }
  for (const [index, jwk] of document.keys.entries()) {
    if (!isObject(jwk)) throw malformed(`key ${index + 1} is not an object`)
  }
  return document.keys
}

/** A secret with two purposes would let the holder of one act for the other. */
function refuseSharedSecrets(
  tokenKeys: readonly Key[],
  others: readonly (HmacKey | undefined)[],
): void {
  const seen = new Map<string, string>()
  for (const key of tokenKeys) if (key.alg === 'HS256') seen.set(key.secret.join(), key.kid)
  for (const key of others) {
    if (key === undefined) continue
    const secret = key.secret.join()
    const kids = [seen.get(secret), key.kid].map((kid) => JSON.stringify(kid))
    if (seen.has(secret)) throw malformed(`keys ${kids.join(' and ')} have the same secret`)
    seen.set(secret, key.kid)
  }
}
