import { decodeBase64url } from '../encoding/base64url.ts'
import { parseJson } from '../encoding/json.ts'
import { createKey, createKeySet, type Key, KeyringError, type KeySet } from './keyring.ts'
import { checkSecretStrength, isPublishedKey } from './secret-strength.ts'

/** `use` of the key that refresh tokens are derived from. */
const REFRESH = 'latchkey:refresh'

/**
 * Reads a JWK Set (RFC 7517 section 5) of `oct` keys. The first key for tokens signs.
 *
 * A key whose `use` is absent or `sig` is for access tokens and needs `alg` HS256, one with `latchkey:refresh`
 * is for refresh tokens, and those with another `use` are left out. The set is taken whole or refused whole.
 *
 * @throws KeyringError which names the key and the rule, never a secret
 */
export function parseKeySet(text: string): KeySet {
  const document = parseJson(text)
  if (!isObject(document) || !Array.isArray(document.keys)) {
    throw malformed('not a JWK Set: expected {"keys":[…]}, without duplicate members')
  }
  const keys: Key[] = []
  let refresh: Key | undefined
  for (const [index, jwk] of document.keys.entries()) {
    if (!isObject(jwk)) throw malformed(`key ${index + 1} is not an object`)
    if (jwk.use === REFRESH) {
      if (refresh !== undefined) throw malformed('there are two keys for refresh tokens')
      refresh = readKey(jwk, index)
    } else if (jwk.use === undefined || jwk.use === 'sig') {
      if (jwk.alg !== 'HS256') throw malformed(`key ${index + 1}: alg must be "HS256"`)
      keys.push(readKey(jwk, index))
    }
  }
  if (refresh !== undefined && keys.some((key) => hasSameSecret(key, refresh))) {
    throw malformed('the key for refresh tokens must not be one of those for access tokens')
  }
  return createKeySet(keys, refresh)
}

function readKey(jwk: Record<string, unknown>, index: number): Key {
  const { kty, kid, k } = jwk
  if (kty !== 'oct') throw malformed(`key ${index + 1}: kty must be "oct"`)
  if (typeof kid !== 'string' || kid === '') throw malformed(`key ${index + 1}: kid is missing`)
  const name = `the key ${JSON.stringify(kid)}`
  const secret = typeof k === 'string' ? decodeBase64url(k) : undefined
  if (secret === undefined) throw malformed(`${name}: k must be base64url without padding`)
  checkSecretStrength(secret, name)
  if (isPublishedKey(secret)) {
    throw new KeyringError('keyring_weak_secret', `the secret of ${name} is a published sample`)
  }
  return createKey(kid, secret)
}

function hasSameSecret(a: Key, b: Key): boolean {
  return a.secret.length === b.secret.length && a.secret.every((byte, i) => byte === b.secret[i])
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function malformed(message: string): KeyringError {
  return new KeyringError('keyring_malformed', message)
}
