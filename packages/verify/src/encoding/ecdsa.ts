import { createPublicKey, createVerify, type KeyObject } from 'node:crypto'
import { isCanonicalBase64url } from './base64url.ts'

/** Characters of 64 bytes in unpadded base64url. */
const SIGNATURE_LENGTH = 86
/** Bytes of each of the two numbers of a signature. */
const NUMBER_BYTES = 32
const INTEGER = 0x02
const SEQUENCE = 0x30

/** A point of P-256: the coordinates as base64url of 32 bytes each. */
interface PublicKey {
  readonly kid: string
  readonly x: string
  readonly y: string
}

/**
 * Verifies ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4) with a fixed key.
 *
 * The signature is passed as DER, because Node converts one of 64 bytes in a way that takes as long
 * as verifying it. Of the two signatures (r, s) and (r, n - s) both are valid, as RFC 7518 defines.
 */
export class EcdsaP256 {
  readonly alg = 'ES256'
  readonly kid: string
  readonly #key: KeyObject
  /** Longest: two bytes for the sequence, and for each number two more and a leading zero. */
  readonly #der = Buffer.alloc(2 + 2 * (3 + NUMBER_BYTES))

  constructor({ kid, x, y }: PublicKey) {
    this.kid = kid
    this.#key = createPublicKey({ format: 'jwk', key: { kty: 'EC', crv: 'P-256', x, y } })
  }

  /**
   * Whether a text ends with a dot and a signature of all before it, in canonical base64url.
   *
   * @param text ASCII
   * @param end place of the dot
   */
  verify(text: string, end: number): boolean {
    const signature = text.slice(end + 1)
    if (signature.length !== SIGNATURE_LENGTH || !isCanonicalBase64url(signature)) return false
    const der = this.#toDer(Buffer.from(signature, 'base64url'))
    return createVerify('SHA256').update(text.slice(0, end), 'latin1').verify(this.#key, der)
  }

  /** A SEQUENCE of the two numbers as INTEGERs, the shortest form of each (X.690 section 8.3). */
  #toDer(signature: Buffer): Buffer {
    const der = this.#der
    let at = 2
    for (const begin of [0, NUMBER_BYTES]) {
      const end = begin + NUMBER_BYTES
      let first = begin
      while (first < end - 1 && signature[first] === 0) first++
      const isNegative = (signature[first] as number) >= 0x80
      der[at++] = INTEGER
      der[at++] = end - first + Number(isNegative)
      if (isNegative) der[at++] = 0
      at += signature.copy(der, at, first, end)
    }
    der[0] = SEQUENCE
    der[1] = at - 2
    return der.subarray(0, at)
  }
}
