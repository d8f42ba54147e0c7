import {
  createHmac,
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  randomUUID,
  sign,
} from 'node:crypto'
import { encodeJson } from './encoding/base64url.ts'
import { createEcKey } from './keys/ec-key.ts'
import type { EcKey } from './keys/keyring.ts'
import { checkNames } from './options/check-names.ts'

/**
 * Options of `mintToken`.
 * @example
 * ```ts
 * import type { MintOptions } from '@latchkey/verify/testing'
 * const admin: Partial<MintOptions> = { subject: 'user-2', roles: ['admin'] }
 * ```
 */
export interface MintOptions {
  /** The signing key: a secret with its ID, or only bytes for a token without `kid`; or a key pair. */
  key: SecretKey | Uint8Array | EcKey
  issuer: string
  audience: string | readonly string[]
  /** Default `user-1`. */
  subject?: string
  scopes?: readonly string[]
  roles?: readonly string[]
  /** Lifetime from now; negative for an expired token. Default 900. */
  expiresInSeconds?: number
  /** Additional claims. They replace those above; an undefined one is left out. */
  claims?: Readonly<Record<string, unknown>>
  /** Additional header members. They replace `alg`, `typ` and `kid`. */
  header?: Readonly<Record<string, unknown>>
  /**
   * Makes a token that must be refused:
   * - `foreign`: signed with a random key under the same key ID (`token_signature`)
   * - `tampered`: claims changed after signing (`token_signature`)
   * - `unsigned`: `alg` "none" and no signature (`token_algorithm`)
   */
  fault?: 'foreign' | 'tampered' | 'unsigned'
}

type SecretKey = { readonly kid: string; readonly secret: Uint8Array }

/**
 * Creates a random key for tests.
 * @example
 * ```ts
 * import { createVerifier } from '@latchkey/verify'
 * import { createTestKey } from '@latchkey/verify/testing'
 * const key = createTestKey()
 * const verifier = createVerifier({ keys: [key], issuer, audience: 'orders' })
 * ```
 */
export function createTestKey(kid = 'test'): { kid: string; secret: Uint8Array } {
  return { kid, secret: new Uint8Array(randomBytes(32)) }
}

/**
 * Creates a random key pair for tests of ES256.
 * @example
 * ```ts
 * import { createVerifier } from '@latchkey/verify'
 * import { createTestKeyPair, mintToken } from '@latchkey/verify/testing'
 * const key = createTestKeyPair()
 * const verifier = createVerifier({ keys: [key], issuer, audience: 'orders' })
 * verifier.verify(mintToken({ key, issuer, audience: 'orders' }))
 * ```
 */
export function createTestKeyPair(kid = 'test'): EcKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return createEcKey(kid, { ...privateKey.export({ format: 'jwk' }) }) as EcKey
}

// biome-ignore format: a list
const OPTIONS = [
  'key', 'issuer', 'audience', 'subject', 'scopes', 'roles', 'expiresInSeconds', 'claims', 'header',
  'fault',
]
const FAULTS = ['foreign', 'tampered', 'unsigned']

/**
 * Mints an access token like those of the auth service (HS256 or ES256, `at+jwt`), for tests of
 * services.
 *
 * @throws TypeError when an option is unknown, because the token would not be what the test means,
 *   or when the key can only verify
 * @example
 * ```ts
 * import { createTestKey, mintToken } from '@latchkey/verify/testing'
 * const options = { key: createTestKey(), issuer, audience: 'orders' }
 * const reader = mintToken({ ...options, scopes: ['orders:read'] })
 * const expired = mintToken({ ...options, expiresInSeconds: -60 })
 * const forged = mintToken({ ...options, fault: 'tampered' })
 * ```
 */
export function mintToken(options: MintOptions): string {
  checkNames(options, 'option', OPTIONS)
  const { key, fault } = options
  if (fault !== undefined && !FAULTS.includes(fault)) {
    throw new TypeError(`fault must be one of ${FAULTS.join(', ')}`)
  }
  const { kid, alg } = { alg: 'HS256', kid: undefined, ...(key instanceof Uint8Array ? {} : key) }
  const header = encodeJson({
    alg: fault === 'unsigned' ? 'none' : alg,
    typ: 'at+jwt',
    kid,
    ...options.header,
  })
  const claims = buildClaims(options)
  const input = `${header}.${encodeJson(claims)}`
  if (fault === 'unsigned') return `${input}.`
  const signature = signInput(fault === 'foreign' ? makeForeign(key) : key, input)
  if (fault !== 'tampered') return `${input}.${signature}`
  return `${header}.${encodeJson({ ...claims, sub: randomUUID() })}.${signature}`
}

const makeForeign = (key: MintOptions['key']) =>
  'x' in key ? createTestKeyPair() : new Uint8Array(randomBytes(32))

function signInput(key: MintOptions['key'], input: string): string {
  if (!('x' in key)) {
    const secret = key instanceof Uint8Array ? key : (key as SecretKey).secret
    return createHmac('sha256', secret).update(input).digest('base64url')
  }
  const { x, y, d } = key
  if (d === undefined) throw new TypeError('the key has no private part: use createTestKeyPair')
  const pair = createPrivateKey({ format: 'jwk', key: { kty: 'EC', crv: 'P-256', x, y, d } })
  const options = { key: pair, dsaEncoding: 'ieee-p1363' } as const
  return sign('sha256', Buffer.from(input), options).toString('base64url')
}

function buildClaims(options: MintOptions): Record<string, unknown> {
  const { issuer, audience, subject = 'user-1', scopes = [], roles = [] } = options
  const iat = Math.floor(Date.now() / 1000)
  return {
    iss: issuer,
    sub: subject,
    aud: typeof audience === 'string' ? [audience] : audience,
    exp: iat + (options.expiresInSeconds ?? 900),
    iat,
    jti: randomUUID(),
    sid: randomUUID(),
    scope: scopes.join(' '),
    roles,
    ...options.claims,
  }
}
