import { decodeInteger } from '../encoding/decode-integer.ts'
import type { EcKey } from './keyring.ts'

/** The curve P-256: y² = x³ - 3x + b modulo p, with n points (SP 800-186 section 3.2.1.3). */
const P = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/**
 * Creates a key for ES256 from the members of a JWK (RFC 7518 section 6.2).
 *
 * Not checked: that `d` belongs to `x` and `y`. Only the auth service has it, and tries it.
 *
 * @returns the key, or what is wrong with the members
 */
export function createEcKey(kid: string, jwk: Record<string, unknown>): EcKey | string {
  const { crv, x, y, d } = jwk
  if (crv !== 'P-256') return 'crv must be "P-256"'
  const [pointX, pointY] = [x, y].map(readNumber)
  if (pointX === undefined || pointY === undefined) return 'x and y must be 32 bytes of base64url'
  // A point elsewhere would be refused later, by some runtimes only when a token is verified.
  const isOnCurve = (pointY * pointY - (pointX * pointX * pointX - 3n * pointX + B)) % P === 0n
  if (pointX >= P || pointY >= P || !isOnCurve) return 'x and y are not a point of P-256'
  const key = { kid, alg: 'ES256' as const, x: x as string, y: y as string }
  if (d === undefined) return Object.freeze(key)
  const scalar = readNumber(d)
  if (scalar === undefined || scalar === 0n || scalar >= N) return 'd is not a private key of P-256'
  return Object.freeze(Object.defineProperty(key, 'd', { value: d }))
}

/** 43 characters are 32 bytes. */
const readNumber = (text: unknown): bigint | undefined =>
  typeof text === 'string' && text.length === 43 ? decodeInteger(text) : undefined
