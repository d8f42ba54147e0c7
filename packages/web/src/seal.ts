import { hkdfSync } from 'node:crypto'
import type { HmacKey } from '@latchkey/verify'
import { EncryptJWT, type JWTPayload, jwtDecrypt } from 'jose'
import { getServiceKey, type Settings } from './options.ts'

/** What a cookie is for. One of another purpose is not accepted. */
type Purpose = 'session' | 'login'

/** Encrypted with the derived key itself (RFC 7518 section 4.5). */
const alg = 'dir'
const enc = 'A256GCM'

/**
 * Seals the content of a cookie: a JWE (RFC 7516) under a key that is derived from the service's own
 * key. Any instance of the app opens it; the browser can neither read nor change it.
 *
 * @param lifetime for example `10m`; without it the content decides how long it is of use
 */
export function seal(
  settings: Settings,
  purpose: Purpose,
  content: JWTPayload,
  lifetime?: string,
): Promise<string> {
  const key = getServiceKey(settings)
  const jwt = new EncryptJWT(content)
    .setProtectedHeader({ alg, enc, kid: key.kid })
    .setAudience(purpose)
  if (lifetime !== undefined) jwt.setExpirationTime(lifetime)
  return jwt.encrypt(deriveKey(key))
}

/**
 * Opens what `seal` has made with any of the service's keys. Not checked: the members of the content.
 *
 * @returns `undefined` when it was sealed by another app or for another purpose, changed, or expired
 */
export async function open(
  { keys }: Settings,
  purpose: Purpose,
  sealed: string,
): Promise<JWTPayload | undefined> {
  const findKey = ({ kid }: { kid?: string }) => {
    const key = keys.current.serviceKeys.find((candidate) => candidate.kid === kid)
    if (key === undefined) throw new Error('unknown key')
    return deriveKey(key)
  }
  const options = {
    audience: purpose,
    keyManagementAlgorithms: [alg],
    contentEncryptionAlgorithms: [enc],
  }
  return jwtDecrypt(sealed, findKey, options).then(
    ({ payload }) => payload,
    () => undefined,
  )
}

const derived = new WeakMap<HmacKey, Uint8Array>()

/** HKDF-SHA256 (RFC 5869), once per key. */
function deriveKey(key: HmacKey): Uint8Array {
  const known = derived.get(key)
  if (known !== undefined) return known
  const bytes = new Uint8Array(hkdfSync('sha256', key.secret, '', 'latchkey web cookie v1', 32))
  derived.set(key, bytes)
  return bytes
}
