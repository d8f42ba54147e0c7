import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto'
import { ConfigError } from '@latchkey/service-kit'
import type { HmacKey, Keyring } from '@latchkey/verify'
import type { Session } from './store.ts'

/** The part of a session that its refresh token contains. */
export type RefreshToken = Pick<Session, 'sessionId' | 'generation'>

const prefix = 'lkr_'
const bodyBytes = 16 + 4
const macBytes = 32
/** `lkr_` and the base64url of 52 bytes. */
const refreshTokenFormat = /^lkr_[\w-]{70}$/

/**
 * Makes and reads refresh tokens: `lkr_` + base64url(session id ‖ generation ‖ HMAC-SHA-256 of
 * both).
 *
 * The MAC key is derived from the keyring's `latchkey:refresh` key (HKDF, RFC 5869), so that the
 * same bytes never serve two purposes. A leaked database contains nothing to make a token from.
 * Nothing is random: the same generation of a session is always the same token, so a repeated
 * request gets the same successor.
 */
export function createRefreshTokens(keyring: Keyring) {
  const { refresh, service } = keyring.current
  if (refresh === undefined) {
    throw new ConfigError(`LATCHKEY_KEYS_FILE: ${service ? isOfService : missingKey}`)
  }
  let macKey = deriveMacKey(refresh)
  // If a new keyring has no such key, the last one stays in use. A different key ends every
  // session.
  keyring.subscribe(({ refresh }) => {
    if (refresh !== undefined) macKey = deriveMacKey(refresh)
  })
  const mac = (body: Buffer) => createHmac('sha256', macKey).update(body).digest()

  return {
    format({ sessionId, generation }: RefreshToken): string {
      const body = Buffer.alloc(bodyBytes)
      body.write(sessionId.replaceAll('-', ''), 'hex')
      body.writeUInt32BE(generation, 16)
      return prefix + Buffer.concat([body, mac(body)]).toString('base64url')
    },
    parse(text: string): RefreshToken | undefined {
      if (!refreshTokenFormat.test(text)) return undefined
      const encoded = text.slice(prefix.length)
      const bytes = Buffer.from(encoded, 'base64url')
      // The 70 characters have 4 spare bits: only the canonical encoding is a token.
      if (bytes.toString('base64url') !== encoded) return undefined
      const body = bytes.subarray(0, bodyBytes)
      if (!timingSafeEqual(mac(body), bytes.subarray(bodyBytes))) return undefined
      const hex = body.toString('hex', 0, 16)
      const sessionId = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
      return { sessionId, generation: body.readUInt32BE(16) }
    },
  }
}

const isOfService = 'it is the key file of a service; auth needs its own'

const missingKey =
  'the key file has no key with "use": "latchkey:refresh"; `latchkey keys generate` creates a file with one'

/** A key object, because `createHmac` makes one of other keys on each call, which costs more. */
const deriveMacKey = ({ secret }: HmacKey): KeyObject =>
  createSecretKey(
    Buffer.from(hkdfSync('sha256', secret, '', 'latchkey refresh token v1', macBytes)),
  )
