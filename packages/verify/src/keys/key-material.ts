import { decodeBase64url } from '../encoding/base64url.ts'

/** Armour and other text that only keys and certificates have. */
const ARMOUR = /-----? ?BEGIN\b|PuTTY-User-Key-File|<RSAKeyValue|openssh-key-v1/

/** An OpenSSH public key: the type, then its base64. */
const OPENSSH = /(?:ssh-\w+|ecdsa-sha2-\w+|sk-[\w@.-]+)\s+AAAA/

/** Encodings in encodings are looked into this far. */
const MAX_DEPTH = 3

/**
 * Whether bytes are a key of another kind, or a certificate: PEM, DER (SPKI, PKCS #1, PKCS #8,
 * X.509), OpenSSH or JWK, also in UTF-16, base64 or hexadecimal. As a secret for HMAC, a public key
 * lets everybody forge tokens (RFC 8725 section 2.1), and a private key does not belong there.
 *
 * Not recognised: the bare numbers of a key, such as the 32 bytes of an Ed25519 public key.
 */
export function isKeyMaterial(bytes: Uint8Array, depth = 0): boolean {
  if (isDer(bytes) || isSshBlob(bytes)) return true
  const text = readText(bytes)
  if (ARMOUR.test(text) || OPENSSH.test(text) || isJsonText(text)) return true
  if (depth === MAX_DEPTH) return false
  return decodeText(text).some((decoded) => isKeyMaterial(decoded, depth + 1))
}

/** The text of the bytes, in UTF-16 if there is a byte order mark or every second byte is zero. */
function readText(bytes: Uint8Array): string {
  const [first, second, third] = bytes
  const isBig = (first === 0xfe && second === 0xff) || (first === 0 && third === 0)
  const isLittle = (first === 0xff && second === 0xfe) || (second === 0 && bytes[3] === 0)
  const encoding = isBig ? 'utf-16be' : isLittle ? 'utf-16le' : 'utf-8'
  return new TextDecoder(encoding).decode(bytes).trim()
}

/** What text may encode: hexadecimal digits or base64, in quotes or lines, also escaped ones. */
export function decodeText(text: string): Uint8Array[] {
  const digits = text.replace(/[\s"',]|\\[nr]|^0x/gi, '')
  const hex = digits.replaceAll(':', '')
  const found: Uint8Array[] = []
  if (/^(?:[0-9a-f]{2})+$/i.test(hex)) {
    const pairs = hex.match(/../g) ?? []
    found.push(Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16)))
  }
  const base64 = digits.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
  const decoded = base64 === '' ? undefined : decodeBase64url(base64)
  if (decoded !== undefined) found.push(decoded)
  return found
}

/** A whole JSON document that is an object or an array, such as a JWK or a JWK Set. */
function isJsonText(text: string): boolean {
  if (!/^[{[]/.test(text)) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** An SSH public key (RFC 4253 section 6.6): its type as a string with a length before it. */
function isSshBlob(bytes: Uint8Array): boolean {
  const length = bytes[3] ?? 0
  if (bytes[0] || bytes[1] || bytes[2] || length < 7 || bytes.length <= 4 + length) return false
  return /^(?:ssh-|ecdsa-|sk-)/.test(String.fromCharCode(...bytes.subarray(4, 4 + length)))
}

/** A SEQUENCE of DER (X.690) that is filled by its elements; only white space may follow it. */
function isDer(bytes: Uint8Array): boolean {
  const outer = readElement(bytes, 0)
  if (bytes[0] !== 0x30 || outer === undefined) return false
  if (bytes.subarray(outer.end).some((byte) => byte !== 0 && byte !== 0x0a && byte !== 0x0d)) {
    return false
  }
  // A version or a modulus, an object identifier, or another SEQUENCE.
  if (![0x02, 0x06, 0x30].includes(bytes[outer.start] ?? 0)) return false
  let at = outer.start
  while (at < outer.end) at = readElement(bytes, at)?.end ?? Number.POSITIVE_INFINITY
  return at === outer.end
}

/** Where the content of the element at `at` starts and ends; `undefined` if it does not fit. */
function readElement(bytes: Uint8Array, at: number): { start: number; end: number } | undefined {
  let length = bytes[at + 1] ?? 0x80
  let start = at + 2
  if (length >= 0x80) {
    const count = length & 0x7f
    if (count === 0 || count > 3) return undefined
    length = 0
    for (const byte of bytes.subarray(start, start + count)) length = length * 256 + byte
    start += count
  }
  return start + length <= bytes.length ? { start, end: start + length } : undefined
}
