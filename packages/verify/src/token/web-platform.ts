import { decodeBase64url, decodeSegment } from '../encoding/base64url.ts'
import type { Key } from '../keys/keyring.ts'
import type { Platform } from './verification.ts'

const HMAC = { name: 'HMAC', hash: 'SHA-256' }
const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const encoder = new TextEncoder()
const decoder = new TextDecoder()

type CryptoKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

/** Verifies signatures with WebCrypto, which compares HMACs in constant time. */
class WebKey {
  readonly kid: string
  readonly alg: Key['alg']
  readonly #key: Key
  #imported: CryptoKey | undefined

  constructor(key: Key) {
    this.kid = key.kid
    this.alg = key.alg
    this.#key = key
  }

  /** Whether a text ends with a dot, at `end`, and a signature of all before it. */
  async verify(text: string, end: number): Promise<boolean> {
    // Any other spelling of the same bytes is refused.
    const signature = decodeBase64url(text.slice(end + 1))
    if (signature === undefined) return false
    const algorithm = this.alg === 'HS256' ? HMAC : ECDSA
    this.#imported ??= await importKey(this.#key)
    const message = encoder.encode(text.slice(0, end))
    return crypto.subtle.verify(algorithm, this.#imported, signature, message)
  }
}

function importKey(key: Key): Promise<CryptoKey> {
  if (key.alg === 'HS256') {
    return crypto.subtle.importKey('raw', Uint8Array.from(key.secret), HMAC, false, ['verify'])
  }
  const { x, y } = key
  const jwk = { kty: 'EC', crv: 'P-256', x, y }
  return crypto.subtle.importKey('jwk', jwk, ECDSA, false, ['verify'])
}

/** For runtimes with WebCrypto and without Node's modules. */
export const webPlatform: Platform<WebKey> = {
  decode: decodeSegment,

  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  isAscii: (text) => /^[\x00-\x7f]*$/.test(text),

  flatten: (text) => decoder.decode(encoder.encode(text)),

  makeKey: (key) => new WebKey(key),
}
