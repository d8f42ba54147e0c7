import { encodeBase64url } from '../encoding/base64url.ts'
import { KeyringError } from './keyring.ts'

/** RFC 7518 section 3.2: a key for HS256 must be at least as long as the hash. */
const MIN_SECRET_BYTES = 32

/** 32 random bytes have about 30 distinct values; fewer than 12 never occur by chance. */
const MIN_DISTINCT_BYTES = 12

/** Secrets from documentation and sample configurations, long enough to be used by mistake. */
const SAMPLE_TEXTS = [
  'your-256-bit-secret', // jwt.io
  'your-384-bit-secret',
  'your-512-bit-secret',
  'a-string-secret-at-least-256-bits-long', // jwt.io since 2025
  'a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long',
  'super-secret-jwt-token-with-at-least-32-characters-long', // Supabase
  'your-super-secret-jwt-token-with-at-least-32-characters-long',
  'reallyreallyreallyreallyverysafe', // PostgREST
  'supersecretkeyyoushouldnotcommittogithub',
  'my-32-character-ultra-secure-and-ultra-long-secret',
  '404e635266556a586e3272357538782f413f4428472b4b6250645367566b5970', // Spring tutorials
]

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
  if (secret.length < MIN_SECRET_BYTES) return 'is shorter than 256 bits'
  const text = String.fromCharCode(...secret.subarray(0, 1024))
  if (SAMPLE_TEXTS.includes(text.toLowerCase())) return 'is a published sample'
  if (/^[\x20-\x7e]+$/.test(text) && PLACEHOLDER.test(text)) return 'is a placeholder'
  if (new Set(secret).size < MIN_DISTINCT_BYTES) return 'has low entropy'
  if (isRepetition(secret) || isProgression(secret)) return 'has low entropy'
  // Text has less than 8 bits per byte: 32 hexadecimal digits are 128 bits.
  if (/^[0-9a-f]+$/i.test(text) && secret.length * 4 < 256) return 'is shorter than 256 bits'
  if (/^[\w+/=-]+$/.test(text) && secret.length * 6 < 256) return 'is shorter than 256 bits'
  return undefined
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

/** Keys of worked examples: RFC 7515 appendix A.1, RFC 7520 section 3.5. */
const PUBLISHED_KEYS = [
  'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
  'hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg',
]

/**
 * Whether a secret is the key of a worked example in an RFC. A key file must not contain one; an
 * application may pass one, to test itself against the example.
 */
export function isPublishedKey(secret: Uint8Array): boolean {
  return secret.length <= 64 && PUBLISHED_KEYS.includes(encodeBase64url(secret))
}
