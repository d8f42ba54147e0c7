import { decodeBase64url } from './base64url.ts'

/** The integer that canonical base64url encodes, big-endian (RFC 7518 section 2), or `undefined`. */
export function decodeInteger(text: unknown): bigint | undefined {
  const bytes = typeof text === 'string' ? decodeBase64url(text) : undefined
  if (!bytes?.length) return undefined
  return BigInt(`0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`)
}
