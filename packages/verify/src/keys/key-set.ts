import { decodeBase64url } from '../encoding/base64url.ts'
import { isObject, parseJson } from '../encoding/json.ts'
import { createKey, createKeySet, type Key, KeyringError, type KeySet } from './keyring.ts'
import { checkSecretStrength } from './secret-strength.ts'

/** The `use` of the key that refresh tokens are derived from. */
const REFRESH = 'latchkey:refresh'

/**
 * Parses a JWK Set (RFC 7517 section 5) of `oct` keys. The first key for access tokens signs.
 *
 * A key whose `use` is missing or `sig` is for access tokens and must have `alg` HS256. A key with
 * `latchkey:refresh` is for refresh tokens. Keys with another `use` are ignored. One bad key
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
  if (typeof text !== 'string' || text.trim() === '') throw malformed('it is empty')
  if (text.startsWith('\ufeff')) {
    throw malformed('it starts with a byte order mark: save it as UTF-8 without one')
  }
  if (/[\0\ufffd]/.test(text)) throw malformed('it is not UTF-8 text')
  const document = parseJson(text)
  if (!isObject(document) || !Array.isArray(document.keys)) {
    throw malformed('not a JWK Set: expected {"keys":[…]} without duplicate members')
  }
  const keys: Key[] = []
  let refresh: Key | undefined
  for (const [index, jwk] of document.keys.entries()) {
    if (!isObject(jwk)) throw malformed(`key ${index + 1} is not an object`)
    if (jwk.use === REFRESH) {
      if (refresh !== undefined) throw malformed('more than one key for refresh tokens')
      refresh = readKey(jwk, index)
    } else if (jwk.use === undefined || jwk.use === 'sig') {
      if (jwk.alg !== 'HS256') throw malformed(`key ${index + 1}: alg must be "HS256"`)
      keys.push(readKey(jwk, index))
    }
  }
  if (refresh !== undefined && keys.some((key) => hasSameSecret(key, refresh))) {
    throw malformed('the key for refresh tokens must differ from those for access tokens')
  }
  return createKeySet(keys, refresh)
}

function readKey(jwk: Record<string, unknown>, index: number): Key {
  const { kty, kid, k } = jwk
  if (kty !== 'oct') throw malformed(`key ${index + 1}: kty must be "oct"`)
  if (typeof kid !== 'string' || kid === '') throw malformed(`key ${index + 1}: kid is missing`)
  const name = `key ${JSON.stringify(kid)}`
  const secret = typeof k === 'string' ? decodeBase64url(k) : undefined
  if (secret === undefined) throw malformed(`${name}: k must be base64url without padding`)
  checkSecretStrength(secret, name)
  return createKey(kid, secret)
}

function hasSameSecret(a: Key, b: Key): boolean {
  return a.secret.length === b.secret.length && a.secret.every((byte, i) => byte === b.secret[i])
}

function malformed(message: string): KeyringError {
  return new KeyringError('keyring_malformed', message)
}
