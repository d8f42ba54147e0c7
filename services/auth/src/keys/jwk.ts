import { generateKeyPairSync, hkdfSync, randomBytes } from 'node:crypto'

/** A key of a key file (RFC 7517 section 4). Members that are not named here are kept unchanged. */
export interface Jwk {
  kty: string
  kid: string
  alg?: string
  use?: string
  /** The secret of an `oct` key. */
  k?: string
  /** The private part of an `EC` or `RSA` key. */
  d?: string
}

/** The content of a key file: a JWK Set (RFC 7517 section 5). */
export interface JwkSet {
  keys: Jwk[]
}

/** The algorithms of access tokens. */
export const algorithms = ['HS256', 'ES256'] as const
export type Algorithm = (typeof algorithms)[number]

/** The name under which the operator's commands authenticate. */
export const operator = 'operator'

/** Names that no service may have: their keys would speak for auth's own instances or operators. */
const reservedNames: readonly string[] = [operator, 'auth']

/** Whether a key is for access tokens. */
export const isTokenKey = ({ use }: Jwk): boolean => use === undefined || use === 'sig'

/** Whether service keys are derived from a key. The first one of a file is in use. */
export const isRootKey = ({ use }: Jwk): boolean => use === 'latchkey:root'

/** Whether a key is for ID tokens. The first one of a file signs. */
export const isIdTokenKey = ({ use }: Jwk): boolean => use === 'latchkey:id-token'

/** A key ID with the date it was made: `2026-11-24-3f9a1c`. */
export const createKid = (): string =>
  `${new Date().toISOString().slice(0, 10)}-${randomBytes(3).toString('hex')}`

/** A new keyring: keys for access, refresh and ID tokens, and one that services' derive from. */
export function createJwkSet(alg: Algorithm): JwkSet {
  const kid = createKid()
  return {
    keys: [
      createTokenJwk(kid, alg),
      createSecretJwk(`${kid}-refresh`, 'latchkey:refresh'),
      createRootJwk(`${kid}-root`),
      createIdTokenJwk(`${kid}-id-token`),
    ],
  }
}

export const createRootJwk = (kid: string): Jwk => createSecretJwk(kid, 'latchkey:root')

/** A new key for ID tokens: RS256 is mandatory for a server (OpenID Connect Core section 15.1). */
export function createIdTokenJwk(kid: string): Jwk {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const use = 'latchkey:id-token'
  return { ...privateKey.export({ format: 'jwk' }), kty: 'RSA', kid, alg: 'RS256', use }
}

/** A new key for access tokens: a secret, or a key pair. */
export function createTokenJwk(kid: string, alg: Algorithm): Jwk {
  if (alg === 'HS256') return createSecretJwk(kid)
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...privateKey.export({ format: 'jwk' }), kty: 'EC', kid, alg }
}

/**
 * A random 256-bit secret. Its bytes are 43 printable characters, so that software that accepts a
 * secret only as text, such as HAProxy, PostgREST or Hasura, can have the same one.
 */
function createSecretJwk(kid: string, use?: string): Jwk {
  const text = randomBytes(32).toString('base64url')
  return { ...toSecretJwk(kid, Buffer.from(text)), ...(use && { use }) }
}

const toSecretJwk = (kid: string, secret: Uint8Array): Jwk => ({
  kty: 'oct',
  kid,
  alg: 'HS256',
  k: Buffer.from(secret).toString('base64url'),
})

/** The 32 bytes of a service's key: HKDF-SHA256 (RFC 5869) of a root key and the name. */
export const deriveServiceSecret = (root: Uint8Array, service: string): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', root, '', `latchkey service key v1/${service}`, 32))

/**
 * The secret of an OAuth client: the key that a service of this name has, as text. Nothing is
 * stored, so it changes only with the root key.
 */
export const deriveClientSecret = (root: Uint8Array, clientId: string): string =>
  Buffer.from(deriveServiceSecret(root, clientId)).toString('base64url')

/** Whether a text can be the name of a service. */
export const isServiceName = (name: string): boolean =>
  /^[\w.-]{1,64}$/.test(name) && !/^\.*$/.test(name) && !reservedNames.includes(name)

/**
 * What a service needs: the keys for access tokens, without private parts, and its own key. It has
 * one own key per root key, in their order, so that it can still open what it encrypted before the
 * root key was replaced.
 *
 * @throws Error when the name is malformed or reserved, or the set has no root key
 */
export function createServiceSet(set: JwkSet, service: string): JwkSet {
  if (!isServiceName(service)) {
    const reserved = reservedNames.map((name) => `"${name}"`).join(' nor ')
    throw new Error(
      `a service's name is 1 to 64 letters, digits, dots, hyphens and underscores, and neither ${reserved}`,
    )
  }
  const roots = set.keys.filter(isRootKey)
  if (roots.length === 0) throw new Error(rootMissing)
  const ownKeys = roots.map(({ kid, k = '' }) => {
    const secret = deriveServiceSecret(Buffer.from(k, 'base64url'), service)
    return { ...toSecretJwk(`${kid}/${service}`, secret), use: 'latchkey:service' }
  })
  const tokenKeys = set.keys.filter(isTokenKey).map(({ d: _private, ...key }) => key)
  return { keys: [...tokenKeys, ...ownKeys] }
}

export const rootMissing =
  'the key file has no root key, from which the keys of services are derived; run latchkey keys add --root'
