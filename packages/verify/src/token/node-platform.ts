import { isUtf8 } from 'node:buffer'
import { hasCanonicalEnd } from '../encoding/base64url.ts'
import { EcdsaP256 } from '../encoding/ecdsa.ts'
import { HmacSha256 } from '../encoding/hmac.ts'
import type { Platform } from './verification.ts'

/** Long enough for every token (`maxTokenBytes`). */
const scratch = Buffer.alloc(16_384)
const words = new Int32Array(scratch.buffer, scratch.byteOffset, scratch.length >> 2)

/** Node's decoders are faster than `atob` but too lenient: what they let pass is checked here. */
export const nodePlatform: Platform<HmacSha256 | EcdsaP256> = {
  decode(segment) {
    if (!hasCanonicalEnd(segment)) return undefined
    const length = scratch.write(segment, 'base64url')
    // Characters outside both base64 alphabets are skipped, so that fewer bytes come out.
    if (length !== (segment.length * 3) >> 2) return undefined
    if (segment.includes('+') || segment.includes('/')) return undefined
    const text = scratch.toString('utf8', 0, length)
    // A replacement character is either in the bytes themselves or stands for invalid UTF-8.
    if (text.includes('\ufffd') && !isUtf8(scratch.subarray(0, length))) return undefined
    scratch[length] = scratch[length + 1] = scratch[length + 2] = 0
    return { text, words, length }
  },

  isAscii: (text) => Buffer.byteLength(text) === text.length,

  flatten: (text) => scratch.toString('latin1', 0, scratch.write(text, 'latin1')),

  makeKey: (key, maxTextBytes) =>
    key.alg === 'HS256' ? new HmacSha256(key.kid, key.secret, maxTextBytes) : new EcdsaP256(key),
}
