import type { Claims } from './types.ts'

/** A verified token in the cache. */
export interface CachedToken {
  readonly result: { readonly ok: true; readonly claims: Claims }
  /** The version of the revocations at which the token was last found not revoked. */
  revocationsVersion: number | undefined
}

/** Places that one token may be kept in. */
const WAYS = 4

/** Longer tokens are not kept, which bounds a full cache in bytes. Access tokens are under 1 KB. */
const MAX_CACHED_BYTES = 2048

/**
 * Keeps verified tokens, and only those, in bounded memory.
 *
 * Set-associative, like a processor's cache: 32 bits of the signature, which is as good as random,
 * choose a set of four places, and the whole token is compared. This is faster than a Map, which
 * hashes and copies text, and it evicts one token at a time. A token is kept from the second time
 * it is seen: tokens used once neither cost a copy nor evict those used often.
 */
export class TokenCache {
  readonly #sets: number
  readonly #bits: Int32Array
  readonly #tokens: string[]
  readonly #entries: (CachedToken | undefined)[]
  readonly #seenOnce: Int32Array
  #turn = 0

  /** @param maxEntries at least 4 */
  constructor(maxEntries: number) {
    this.#sets = Math.floor(maxEntries / WAYS)
    this.#bits = new Int32Array(this.#sets * WAYS)
    this.#tokens = new Array(this.#sets * WAYS).fill('')
    this.#entries = new Array(this.#sets * WAYS).fill(undefined)
    this.#seenOnce = new Int32Array(this.#sets * WAYS)
  }

  find(token: string): CachedToken | undefined {
    const bits = signatureBits(token)
    const first = this.#firstPlace(bits)
    for (let place = first; place < first + WAYS; place++) {
      if (this.#bits[place] === bits && this.#tokens[place] === token) return this.#entries[place]
    }
    return undefined
  }

  /** Whether a token is short enough. */
  accepts(token: string): boolean {
    return token.length <= MAX_CACHED_BYTES
  }

  /**
   * Records that a verified token was seen.
   *
   * @returns whether to add it: it is short enough and was seen before
   */
  noteSighting(token: string): boolean {
    if (!this.accepts(token)) return false
    const bits = signatureBits(token)
    const first = this.#firstPlace(bits)
    for (let place = first; place < first + WAYS; place++) {
      if (this.#seenOnce[place] === bits) return true
    }
    this.#seenOnce[first + this.#takeTurn()] = bits
    return false
  }

  /** @param token a flat string: a slice would keep the request it was cut from in memory */
  add(token: string, entry: CachedToken): void {
    const bits = signatureBits(token)
    const place = this.#choosePlace(this.#firstPlace(bits))
    this.#bits[place] = bits
    this.#tokens[place] = token
    this.#entries[place] = entry
  }

  #firstPlace(bits: number): number {
    return ((bits >>> 0) % this.#sets) * WAYS
  }

  /** An empty place of the set, else one of the four in turn. */
  #choosePlace(first: number): number {
    for (let place = first; place < first + WAYS; place++) {
      if (this.#entries[place] === undefined) return place
    }
    return first + this.#takeTurn()
  }

  #takeTurn(): number {
    this.#turn = (this.#turn + 1) % WAYS
    return this.#turn
  }
}

/** 32 bits of the signature at the end of a token. */
function signatureBits(token: string): number {
  let bits = 0
  for (let i = token.length - 11; i < token.length - 1; i++) {
    bits = (bits << 6) ^ token.charCodeAt(i)
  }
  return bits
}
