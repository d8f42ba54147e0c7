import { decodeInteger } from '../encoding/decode-integer.ts'

const integers = ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'] as const
type Integer = (typeof integers)[number]

/** RFC 7518 section 3.3. */
const MIN_BITS = 2048n

/**
 * A key pair with which the auth service signs ID tokens (OpenID Connect). It never signs or
 * verifies an access token.
 * @example
 * ```ts
 * import type { RsaKey } from '@latchkey/verify'
 * const toPublicJwk = ({ kid, alg, n, e }: RsaKey) => ({ kty: 'RSA', use: 'sig', kid, alg, n, e })
 * ```
 */
export interface RsaKey {
  /** Key ID (RFC 7515 section 4.1.4). */
  readonly kid: string
  readonly alg: 'RS256'
  /** Modulus of at least 2048 bits, in base64url (RFC 7518 section 6.3.1). */
  readonly n: string
  /** Exponent, at least 65537, in base64url. */
  readonly e: string
  /** The whole key as a JWK, which `createPrivateKey` of `node:crypto` accepts. Not enumerable. */
  readonly privateJwk: Readonly<Record<'kty' | Integer, string>>
}

/**
 * Creates a key for RS256 from the members of a JWK with a private part (RFC 7518 section 6.3.2).
 *
 * Not checked: that `p` and `q` are primes.
 *
 * @returns the key, or what is wrong with the members
 */
export function createRsaKey(kid: string, jwk: Record<string, unknown>): RsaKey | string {
  const privateJwk = { kty: 'RSA' } as Record<'kty' | Integer, string>
  const values = {} as Record<Integer, bigint>
  for (const name of integers) {
    const value = decodeInteger(jwk[name])
    if (value === undefined) return `${name} is missing or not base64url`
    privateJwk[name] = jwk[name] as string
    values[name] = value
  }
  if (values.n >> (MIN_BITS - 1n) === 0n) return `n must have at least ${MIN_BITS} bits`
  if (values.e < 65_537n) return 'e must be at least 65537'
  if (!isPair(values)) return 'the private part does not belong to n and e'
  const { n, e } = privateJwk
  const key = Object.defineProperty({ kid, alg: 'RS256', n, e }, 'privateJwk', {
    value: Object.freeze(privateJwk),
  })
  return Object.freeze(key) as RsaKey
}

/** RFC 8017 section 3.2. */
function isPair({ n, e, d, p, q, dp, dq, qi }: Record<Integer, bigint>): boolean {
  if (p < 2n || q < 2n || n !== p * q) return false
  const [p1, q1] = [p - 1n, q - 1n]
  return (
    (e * d) % p1 === 1n &&
    (e * d) % q1 === 1n &&
    dp === d % p1 &&
    dq === d % q1 &&
    (qi * q) % p === 1n
  )
}
