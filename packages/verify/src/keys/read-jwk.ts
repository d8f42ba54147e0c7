import { decodeBase64url } from '../encoding/base64url.ts'
import { createEcKey } from './ec-key.ts'
import { createKey, type HmacKey, type Key, KeyringError, type ServiceKey } from './keyring.ts'
import { createRsaKey, type RsaKey } from './rsa-key.ts'
import { checkSecretStrength } from './secret-strength.ts'

/** A member of `keys` in a JWK Set. */
export type Jwk = Readonly<Record<string, unknown>>

/** Reads a key for access tokens. */
export function readTokenKey(jwk: Jwk, index: number): Key {
  if (jwk.alg === 'HS256') return readSecret(jwk, index)
  if (jwk.alg !== 'ES256') throw malformed(`key ${index + 1}: alg must be "HS256" or "ES256"`)
  if (jwk.kty !== 'EC') throw malformed(`key ${index + 1}: kty must be "EC"`)
  const kid = readKid(jwk, index)
  return assertKey(kid, createEcKey(kid, jwk))
}

/** Reads a key that signs ID tokens: a whole RSA key pair. */
export function readIdTokenKey(jwk: Jwk, index: number): RsaKey {
  if (jwk.kty !== 'RSA' || jwk.alg !== 'RS256') {
    throw malformed(`key ${index + 1}: a key for ID tokens has kty "RSA" and alg "RS256"`)
  }
  const kid = readKid(jwk, index)
  return assertKey(kid, createRsaKey(kid, jwk))
}

function assertKey<T extends object>(kid: string, key: T | string): T {
  if (typeof key === 'string') throw malformed(`key ${JSON.stringify(kid)}: ${key}`)
  return key
}

/** Reads a shared secret. */
export function readSecret(jwk: Jwk, index: number): HmacKey {
  const { kty, k } = jwk
  if (kty !== 'oct') throw malformed(`key ${index + 1}: kty must be "oct"`)
  const kid = readKid(jwk, index)
  const name = `key ${JSON.stringify(kid)}`
  const secret = typeof k === 'string' ? decodeBase64url(k) : undefined
  if (secret === undefined) throw malformed(`${name}: k must be base64url without padding`)
  checkSecretStrength(secret, name)
  return createKey(kid, secret)
}

/** Reads the key with which a service authenticates to auth. */
export function readServiceKey(jwk: Jwk, index: number): ServiceKey {
  const key = readSecret(jwk, index)
  const service = /^[^/]+\/([\w.-]{1,64})$/.exec(key.kid)?.[1]
  if (service === undefined) {
    throw malformed(`key ${index + 1}: the kid of a service's key must be <root key>/<service>`)
  }
  const named = Object.defineProperty({ kid: key.kid, alg: key.alg, service }, 'secret', {
    value: key.secret,
  })
  return Object.freeze(named) as ServiceKey
}

function readKid({ kid }: Jwk, index: number): string {
  if (typeof kid === 'string' && kid !== '') return kid
  throw malformed(`key ${index + 1}: kid is missing`)
}

/** Creates an error for a set that breaks a rule of its form. */
export function malformed(message: string): KeyringError {
  return new KeyringError('keyring_malformed', message)
}
