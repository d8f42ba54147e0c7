/** A decoded segment of a token. `words` is valid until the next segment is decoded. */
export interface DecodedSegment {
  readonly text: string
  /** The bytes, four at a time; the last word is padded with zeros. */
  readonly words: Int32Array
  /** Number of bytes. */
  readonly length: number
}

/** Decodes canonical base64url of valid UTF-8; anything else is `undefined`. */
export type DecodeSegment = (segment: string) => DecodedSegment | undefined

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Whether `text` is the only spelling of its bytes: no padding, the URL-safe alphabet, and the
 * unused bits of the last character zero (RFC 4648 sections 3.5 and 5, RFC 7515 section 2).
 */
export function isCanonicalBase64url(text: string): boolean {
  return /^[\w-]*$/.test(text) && hasCanonicalEnd(text)
}

/** The part of `isCanonicalBase64url` that concerns the length and the last character. */
export function hasCanonicalEnd(text: string): boolean {
  const rest = text.length & 3
  if (rest === 0) return true
  // After two characters 4 of the last 6 bits are unused, after three 2 bits; one is impossible.
  const ends = rest === 2 ? 'AQgw' : 'AEIMQUYcgkosw048'
  return rest !== 1 && ends.includes(text.charAt(text.length - 1))
}

/** The bytes of canonical base64url, or `undefined`. */
export function decodeBase64url(text: string): ReturnType<typeof Uint8Array.from> | undefined {
  if (!isCanonicalBase64url(text)) return undefined
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(binary, (character) => character.charCodeAt(0))
}

/** Unpadded base64url. */
export function encodeBase64url(bytes: Uint8Array): string {
  const base64 = btoa(String.fromCharCode(...bytes))
  return base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** A value as a segment of a token: JSON in UTF-8, encoded. */
export function encodeJson(value: object): string {
  return encodeBase64url(new TextEncoder().encode(JSON.stringify(value)))
}

/** `DecodeSegment` for any runtime. */
export const decodeSegment: DecodeSegment = (segment) => {
  const bytes = decodeBase64url(segment)
  if (bytes === undefined) return undefined
  const text = utf8.decode(bytes)
  // A replacement character is either in the bytes themselves or stands for invalid UTF-8.
  if (text.includes('\ufffd') && !isUtf8Of(bytes, text)) return undefined
  const words = new Int32Array((bytes.length + 3) >> 2)
  new Uint8Array(words.buffer).set(bytes)
  return { text, words, length: bytes.length }
}

function isUtf8Of(bytes: Uint8Array, text: string): boolean {
  const encoded = new TextEncoder().encode(text)
  return encoded.length === bytes.length && encoded.every((byte, i) => byte === bytes[i])
}
