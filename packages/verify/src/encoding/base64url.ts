/** A token's segment. `words` is good until the next one is decoded. */
export interface DecodedSegment {
  readonly text: string
  /** The bytes, four at a time; the last word is filled up with zeros. */
  readonly words: Int32Array
  /** Number of bytes. */
  readonly length: number
}

/** Decodes canonical base64url of valid UTF-8; anything else is `undefined`. */
export type DecodeSegment = (segment: string) => DecodedSegment | undefined

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Whether `text` is the one spelling of its bytes: unpadded, of the URL-safe alphabet, and with
 * unused bits of the last character zero (RFC 4648 sections 3.5 and 5, RFC 7515 section 2).
 */
export function isCanonicalBase64url(text: string): boolean {
  return /^[\w-]*$/.test(text) && hasCanonicalEnd(text)
}

/** The part of `isCanonicalBase64url` that concerns the length and the last character. */
export function hasCanonicalEnd(text: string): boolean {
  switch (text.length & 3) {
    case 0:
      return true
    case 2: // 4 of the last 6 bits are unused
      return 'AQgw'.includes(text.charAt(text.length - 1))
    case 3: // 2 of the last 6 bits are unused
      return 'AEIMQUYcgkosw048'.includes(text.charAt(text.length - 1))
    default:
      return false
  }
}

/** The bytes of canonical base64url, or `undefined`. */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!isCanonicalBase64url(text)) return undefined
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(binary, (character) => character.charCodeAt(0))
}

/** Unpadded base64url. */
export function encodeBase64url(bytes: Uint8Array): string {
  const base64 = btoa(String.fromCharCode(...bytes))
  return base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** `DecodeSegment` for any runtime. */
export const decodeSegment: DecodeSegment = (segment) => {
  const bytes = decodeBase64url(segment)
  if (bytes === undefined) return undefined
  const text = utf8.decode(bytes)
  // A replacement character is either in the bytes themselves or stands for bytes that are no UTF-8.
  if (text.includes('\ufffd') && !isUtf8Of(bytes, text)) return undefined
  const words = new Int32Array((bytes.length + 3) >> 2)
  new Uint8Array(words.buffer).set(bytes)
  return { text, words, length: bytes.length }
}

function isUtf8Of(bytes: Uint8Array, text: string): boolean {
  const encoded = new TextEncoder().encode(text)
  return encoded.length === bytes.length && encoded.every((byte, i) => byte === bytes[i])
}
