import type { Claims } from './types.ts'

/** A verified token. */
export interface CachedToken {
  /** All of it. A flat string: a slice would keep the request it was cut from in memory. */
  readonly token: string
  readonly result: { readonly ok: true; readonly claims: Claims }
}

/** Places that one token may be kept in. */
const WAYS = 4

/** Longer tokens are not kept, so that a full cache is bounded in bytes: access tokens are under 1 KB. */
const MAX_CACHED_BYTES = 2048

/**
 * Remembers verified tokens, and only those, in bounded memory.
 *
 * Set-associative, as a processor's cache: 32 bits of the signature, which is as good as random, choose a set of four
 * places, and the whole token is compared. That takes less time than a Map, which hashes and copies text, and
 * forgets one token at a time. A token is kept from the second time it is seen: those that come only once
 * neither cost a copy nor push out those that come often.
 */
export class TokenCache {
  readonly #sets: number
  readonly #bits: Int32Array
  readonly #tokens: (CachedToken | undefined)[]
  readonly #seenOnce: Int32Array
  #nextWay = 0

  /** @param maxEntries at least 4 */
  constructor(maxEntries: number) {
    this.#sets = Math.floor(maxEntries / WAYS)
    this.#bits = new Int32Array(this.#sets * WAYS)
    this.#tokens = new Array(this.#sets * WAYS).fill(undefined)
    this.#seenOnce = new Int32Array(this.#sets * WAYS)
  }

  find(token: string): CachedToken | undefined {
    const bits = signatureBits(token)
    const first = ((bits >>> 0) % this.#sets) * WAYS
    for (let place = first; place < first + WAYS; place++) {
      if (this.#bits[place] !== bits) continue
      const cached = this.#tokens[place]
      if (cached?.token === token) return cached
    }
    return undefined
  }

  /** Whether a verified token is to be added: it is not long, and has been seen before. */
  isWelcome(token: string): boolean {
    if (token.length > MAX_CACHED_BYTES) return false
    const bits = signatureBits(token)
    const place = (bits >>> 0) % this.#seenOnce.length
    if (this.#seenOnce[place] === bits) return true
    this.#seenOnce[place] = bits
    return false
  }

  add(cached: CachedToken): void {
    const bits = signatureBits(cached.token)
    const place = ((bits >>> 0) % this.#sets) * WAYS + this.#nextWay
    this.#bits[place] = bits
    this.#tokens[place] = cached
    this.#nextWay = (this.#nextWay + 1) % WAYS
  }
}

/** 32 bits of the signature at the end of a token. */
function signatureBits(token: string): number {
  let bits = 0
  for (let i = token.length - 11; i < token.length - 1; i++)
    bits = (bits << 6) ^ token.charCodeAt(i)
  return bits
}
