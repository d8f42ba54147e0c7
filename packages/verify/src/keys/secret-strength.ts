import { encodeBase64url } from '../encoding/base64url.ts'
import { decodeText, isKeyMaterial } from './key-material.ts'
import { KeyringError } from './keyring.ts'
import { isPublishedSecret } from './published-secrets.ts'

/** RFC 7518 section 3.2: a key for HS256 must be at least as long as the hash. */
const MIN_SECRET_BYTES = 32

/** 32 random bytes have about 30 distinct values; fewer than 12 never occur by chance. */
const MIN_DISTINCT_BYTES = 12

/** Words that nearly every placeholder contains and no random secret does. */
const PLACEHOLDER =
  /change[-_ ]?(me|this|it)|secret|password|example|placeholder|default|insert[-_ ]/i

/**
 * Refuses a secret that is too short, published, or obviously not random.
 *
 * Not checked: whether a secret that looks random is random.
 *
 * @throws KeyringError `keyring_weak_secret`
 */
export function checkSecretStrength(secret: Uint8Array, name: string): void {
  const weakness = findWeakness(secret)
  if (weakness !== undefined) {
    throw new KeyringError('keyring_weak_secret', `the secret of ${name} ${weakness}`)
  }
}

function findWeakness(secret: Uint8Array): string | undefined {
  // White space at the ends of text is not part of what was chosen at random.
  const text = toText(secret)
  const isText = /^[\x20-\x7e]*$/.test(text)
  const length = isText ? text.length : secret.length
  if (length < MIN_SECRET_BYTES) return `has ${length} bytes; HS256 needs at least 32`
  if (isKeyMaterial(secret)) return 'is a key of another kind or a certificate, not a shared secret'
  if (isPublished(secret, text)) return 'is a published sample'
  if (isText && PLACEHOLDER.test(text)) return 'is a placeholder'
  if (new Set(secret).size < MIN_DISTINCT_BYTES) return 'has low entropy'
  if (isRepetition(secret) || isProgression(secret)) return 'has low entropy'
  return findShortText(text)
}

/** Text has less than 8 bits per byte: 32 hexadecimal digits are 128 bits. */
function findShortText(text: string): string | undefined {
  const bits = /^[0-9a-f]+$/i.test(text) ? 4 : /^[\w+/=-]+$/.test(text) ? 6 : 8
  if (text.length * bits >= 256 || bits === 8) return undefined
  const alphabet = bits === 4 ? 'hexadecimal digits' : 'characters of base64'
  return `is ${text.length} ${alphabet}, which have ${text.length * bits} bits; HS256 needs 256`
}

/**
 * Whether the secret repeats a block shorter than 256 bits. Only blocks that fit at least twice
 * count: with less than two, one random key in 256 would be refused.
 */
function isRepetition(secret: Uint8Array): boolean {
  for (let period = 1; period < MIN_SECRET_BYTES && period * 2 <= secret.length; period++) {
    if (secret.every((byte, i) => i < period || byte === secret[i - period])) return true
  }
  return false
}

/** Whether each byte is the previous one plus a constant, as in 00 01 02 03 … */
function isProgression(secret: Uint8Array): boolean {
  const step = ((secret[1] ?? 0) - (secret[0] ?? 0)) & 255
  return secret.every((byte, i) => i === 0 || ((byte - (secret[i - 1] ?? 0)) & 255) === step)
}

/** Whether the secret, or what it encodes or is encoded as, is in the list of published ones. */
function isPublished(secret: Uint8Array, text: string): boolean {
  if (secret.length > 16_384) return false // longer than any of them
  const hex = Array.from(secret, (byte) => byte.toString(16).padStart(2, '0')).join('')
  const forms = [text, encodeBase64url(secret), hex, ...decodeText(text).map(toText)]
  return forms.some(isPublishedSecret)
}

/** One character for each byte, however many there are. */
function toText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte))
    .join('')
    .trim()
}
