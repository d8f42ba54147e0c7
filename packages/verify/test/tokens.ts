import {
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign as signBytes,
} from 'node:crypto'
import type { EcKey, PolicyOptions, StaticKey } from '../src/index.ts'
import { createEcKey } from '../src/keys/ec-key.ts'

export const policy: PolicyOptions = { issuer: 'https://sso.example', audience: 'orders' }

type Part = object | string | Uint8Array

/** A key of one algorithm, and tokens signed with it. A test varies one thing. */
export interface Signing<K extends StaticKey | EcKey = StaticKey | EcKey> {
  readonly alg: 'HS256' | 'ES256'
  readonly key: K
  readonly header: { alg: string; typ: string; kid: string }
  readonly ownKey: Uint8Array | KeyObject
  /** A key of the same kind that no verifier knows. */
  readonly otherKey: Uint8Array | KeyObject
  /** Signs two segments, whatever they contain. */
  signSegments(head: string, body: string, otherKey?: Uint8Array | KeyObject): string
  /** Signs a header and claims, each an object, text or bytes. */
  sign(head?: Part, body?: Part, otherKey?: Uint8Array | KeyObject): string
}

function createSigning<K extends StaticKey | EcKey>(
  alg: Signing['alg'],
  key: K,
  keys: { own: Uint8Array | KeyObject; other: Uint8Array | KeyObject },
): Signing<K> {
  const header = { alg, typ: 'at+jwt', kid: key.kid }
  const signSegments: Signing['signSegments'] = (head, body, otherKey = keys.own) =>
    `${head}.${body}.${signText(`${head}.${body}`, otherKey)}`
  return {
    ...{ alg, key, header, ownKey: keys.own, otherKey: keys.other, signSegments },
    sign: (head = header, body = claims(), otherKey) =>
      signSegments(encode(head), encode(body), otherKey),
  }
}

/** The signature of a text in base64url: HMAC under a secret, ECDSA under a private key. */
export function signText(text: string, key: Uint8Array | KeyObject): string {
  if (key instanceof Uint8Array) return createHmac('sha256', key).update(text).digest('base64url')
  const options = { key, dsaEncoding: 'ieee-p1363' } as const
  return signBytes('sha256', Buffer.from(text), options).toString('base64url')
}

const secret = randomBytes(32)
export const hs256 = createSigning<StaticKey>(
  'HS256',
  { kid: '2026-11-23', secret },
  { own: secret, other: randomBytes(32) },
)

const createPair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const { privateKey, publicKey } = createPair()
/** The public key of `es256`, for other libraries. */
export const ecPublicKey = publicKey
export const es256 = createSigning<EcKey>(
  'ES256',
  createEcKey(
    '2026-11-24',
    publicKey.export({ format: 'jwk' }) as Record<string, unknown>,
  ) as EcKey,
  { own: privateKey, other: createPair().privateKey },
)

export const { key, header, sign, signSegments } = hs256

export function claims(others: Record<string, unknown> = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000)
  return {
    iss: policy.issuer,
    sub: '0198c0de-user',
    aud: ['orders', 'billing'],
    exp: now + 900,
    iat: now,
    jti: '0198c0de-token',
    sid: '0198c0de-session',
    scope: 'orders:read orders:write',
    roles: ['admin'],
    ...others,
  }
}

/** The text of the claims, with `text` as an additional member. */
export function claimsWith(text: string): string {
  return `${JSON.stringify(claims()).slice(0, -1)},${text}}`
}

/** Encodes an object, text or bytes as a segment. */
export function encode(value: object | string | Uint8Array): string {
  const isData = typeof value === 'string' || value instanceof Uint8Array
  return Buffer.from(isData ? (value as string) : JSON.stringify(value)).toString('base64url')
}

/** Freezes the clock of the process until the test ends. */
export function setClock(t: { teardown(fn: () => void): void }, nowSeconds: number): void {
  const { now } = Date
  Date.now = () => nowSeconds * 1000
  t.teardown(() => {
    Date.now = now
  })
}
