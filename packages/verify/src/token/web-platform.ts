import { decodeSegment, encodeBase64url } from '../encoding/base64url.ts'
import type { Platform } from './verification.ts'

const HMAC = { name: 'HMAC', hash: 'SHA-256' }
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A key of WebCrypto, which is imported asynchronously. */
export interface WebKey {
  readonly kid: string
  readonly imported: ReturnType<typeof crypto.subtle.importKey>
}

/** For runtimes with WebCrypto and without Node's modules. */
export const webPlatform: Platform<WebKey> = {
  decode: decodeSegment,

  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  isAscii: (text) => /^[\x00-\x7f]*$/.test(text),

  flatten: (text) => decoder.decode(encoder.encode(text)),

  makeKey: ({ kid, secret }) => ({
    kid,
    imported: crypto.subtle.importKey('raw', Uint8Array.from(secret), HMAC, false, ['sign']),
  }),
}

/** @returns the HMAC-SHA-256 of `text` in base64url */
export async function signWithWebCrypto(key: WebKey, text: string): Promise<string> {
  const bytes = encoder.encode(text)
  return encodeBase64url(new Uint8Array(await crypto.subtle.sign(HMAC, await key.imported, bytes)))
}
