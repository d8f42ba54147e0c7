import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto'
import { ConfigError } from '@latchkey/service-kit'
import type { HmacKey, Keyring } from '@latchkey/verify'

interface MacTokenOptions {
  /** The first characters of every token. */
  prefix: string
  /** What the key is derived for: the same bytes never serve two purposes. */
  info: string
  bodyBytes: number
}

const macBytes = 32

/**
 * Makes and reads tokens that need no database: prefix + base64url(body ‖ HMAC-SHA-256 of the body),
 * under a key that is derived from the keyring's `latchkey:refresh` key (HKDF, RFC 5869).
 */
export function createMacTokens(keyring: Keyring, { prefix, info, bodyBytes }: MacTokenOptions) {
  const { refresh, service } = keyring.current
  if (refresh === undefined) {
    throw new ConfigError(`LATCHKEY_KEYS_FILE: ${service ? isOfService : missingKey}`)
  }
  let macKey = deriveMacKey(refresh, info)
  // If a new keyring has no such key, the last one stays in use. A different key ends every
  // session.
  keyring.subscribe(({ refresh }) => {
    if (refresh !== undefined) macKey = deriveMacKey(refresh, info)
  })
  const mac = (body: Buffer) => createHmac('sha256', macKey).update(body).digest()
  const encodedLength = Math.ceil(((bodyBytes + macBytes) * 4) / 3)

  return {
    format: (body: Buffer): string =>
      prefix + Buffer.concat([body, mac(body)]).toString('base64url'),
    /** @returns the body; `undefined` when the token has no valid MAC */
    parse(text: string): Buffer | undefined {
      if (!text.startsWith(prefix) || text.length !== prefix.length + encodedLength)
        return undefined
      const encoded = text.slice(prefix.length)
      const bytes = Buffer.from(encoded, 'base64url')
      // The last character may have spare bits: only the canonical encoding is a token.
      if (bytes.toString('base64url') !== encoded) return undefined
      const body = bytes.subarray(0, bodyBytes)
      return timingSafeEqual(mac(body), bytes.subarray(bodyBytes)) ? body : undefined
    },
  }
}

const isOfService = 'it is the key file of a service; auth needs its own'

const missingKey =
  'the key file has no key with "use": "latchkey:refresh"; `latchkey keys generate` creates a file with one'

/** A key object, because `createHmac` makes one of other keys on each call, which costs more. */
const deriveMacKey = ({ secret }: HmacKey, info: string): KeyObject =>
  createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', info, macBytes)))

/** The 16 bytes of a session ID. */
export const sessionIdToBytes = (sessionId: string): Buffer =>
  Buffer.from(sessionId.replaceAll('-', ''), 'hex')

/** The session ID in the first 16 bytes. */
export const sessionIdFromBytes = (bytes: Buffer): string =>
  bytes.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
