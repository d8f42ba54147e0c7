import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import type { HmacKey } from '@latchkey/verify'
import { rootMissing } from '../keys/jwk.ts'
import type { MailContent } from './kinds.ts'

/** The row of the outbox that a content belongs to. */
interface Envelope {
  id: string
  recipient: string
}

const nonceBytes = 12
const tagBytes = 16

/**
 * Encrypts what a mail says, so that a copy of the database contains no code that works.
 *
 * The bytes are the length and the kid of the root key, a random nonce, and AES-256-GCM's ciphertext
 * and tag (NIST SP 800-38D) under a key derived from the root key (HKDF, RFC 5869). ID and
 * recipient are authenticated: a content moved to another row does not open.
 *
 * @param roots the keyring's root keys; the first one is in use
 * @throws Error when there is no root key
 */
export function sealMail(
  roots: readonly HmacKey[],
  envelope: Envelope,
  content: MailContent,
): Buffer {
  const [root] = roots
  if (root === undefined) throw new Error(rootMissing)
  const kid = Buffer.from(root.kid)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(kid.length)
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', deriveKey(root), nonce)
  cipher.setAAD(describe(envelope))
  const ciphertext = [cipher.update(JSON.stringify(content)), cipher.final(), cipher.getAuthTag()]
  return Buffer.concat([length, kid, nonce, ...ciphertext])
}

/**
 * Decrypts what `sealMail` has made with any of the root keys.
 *
 * @throws Error when its root key is not in the keyring any more, or the bytes belong to another row
 */
export function openMail(
  roots: readonly HmacKey[],
  envelope: Envelope,
  sealed: Buffer,
): MailContent {
  const start = 2 + sealed.readUInt16BE()
  const kid = sealed.toString('utf8', 2, start)
  const root = roots.find((key) => key.kid === kid)
  if (root === undefined) throw new Error(`the key file has no root key ${JSON.stringify(kid)}`)
  const nonce = sealed.subarray(start, start + nonceBytes)
  const decipher = createDecipheriv('aes-256-gcm', deriveKey(root), nonce, {
    authTagLength: tagBytes,
  })
  decipher.setAAD(describe(envelope))
  decipher.setAuthTag(sealed.subarray(-tagBytes))
  const ciphertext = sealed.subarray(start + nonceBytes, -tagBytes)
  const text = Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString()
  const { expiresAt, ...content } = JSON.parse(text) as MailContent & { expiresAt?: string }
  return { ...content, ...(expiresAt && { expiresAt: new Date(expiresAt) }) }
}

const deriveKey = ({ secret }: HmacKey): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, '', 'latchkey outbox v1', 32))

const describe = ({ id, recipient }: Envelope): Buffer => Buffer.from(`${id}\n${recipient}`)
