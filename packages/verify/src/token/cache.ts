import type { Claims } from './types.ts'

/** A verified token in the cache. */
export interface CachedToken {
  readonly result: { readonly ok: true; readonly claims: Claims }
  /** The version of the revocations at which the token was last found not revoked. */
  revocationsVersion: number | undefined
}

/** A cached token with its text: one object to read instead of two. */
interface Entry extends CachedToken {
  readonly token: string
}

/** Adjacent places that one token may be kept in. */
const WINDOW = 8

/** With half of the places empty, a full window is rare. */
const PLACES_PER_ENTRY = 2

/** The tag of an empty place. */
const EMPTY = 0

/** Longer tokens are not kept, which bounds a full cache in bytes. Access tokens are under 1 KB. */
const MAX_CACHED_BYTES = 2048

/**
 * Keeps verified tokens, and only those, in bounded memory.
 *
 * 32 bits of the signature, which is as good as random, choose a window of eight places, and the
 * whole token is compared. This is faster than a Map, which hashes and copies text. A look-up reads
 * eight places at most, whatever tokens a client has collected. When `maxEntries` are kept, the
 * oldest is dropped for a new one; when a window is full, one of its eight in turn.
 */
export class TokenCache {
  readonly #windows: number
  /** 16 bits of the token in each place, so that it is seldom compared with another token. */
  readonly #tags: Uint16Array
  readonly #entries: (Entry | undefined)[]
  /** A ring of the places in use, in the order in which they came into use, from `#oldest`. */
  readonly #order: Int32Array
  #oldest = 0
  /** The tags of tokens that were seen, in the same windows. */
  readonly #seen: Uint16Array
  #turn = 0

  /** @param maxEntries at least 4 */
  constructor(maxEntries: number) {
    const places = maxEntries * PLACES_PER_ENTRY
    this.#windows = places - WINDOW + 1
    // `#order` starts with references to an additional place that is in no window.
    this.#tags = new Uint16Array(places + 1)
    this.#entries = new Array(places + 1).fill(undefined)
    this.#order = new Int32Array(maxEntries).fill(places)
    this.#seen = new Uint16Array(places)
  }

  find(token: string): CachedToken | undefined {
    const bits = signatureBits(token)
    const tag = tagOf(bits)
    const first = this.#firstPlace(bits)
    for (let place = first; place < first + WINDOW; place++) {
      if (this.#tags[place] !== tag) continue
      const entry = this.#entries[place]
      if (entry?.token === token) return entry
    }
    return undefined
  }

  /** Whether a token is short enough. */
  accepts(token: string): boolean {
    return token.length <= MAX_CACHED_BYTES
  }

  /**
   * Records that a verified token was seen. If tokens are added only when they are seen again, those
   * used once neither cost a copy nor drop those used often.
   *
   * @returns whether to add it: it is short enough, and it was seen before or, which is rare, another
   *   token with its tag
   */
  noteSighting(token: string): boolean {
    if (!this.accepts(token)) return false
    const bits = signatureBits(token)
    const place = this.#choosePlace(this.#seen, bits)
    if (this.#seen[place] === tagOf(bits)) return true
    this.#seen[place] = tagOf(bits)
    return false
  }

  /** @param token a flat string: a slice would keep the request it was cut from in memory */
  add(token: string, cached: CachedToken): void {
    const bits = signatureBits(token)
    const place = this.#choosePlace(this.#tags, bits)
    if (this.#tags[place] === EMPTY) this.#replaceOldest(place)
    this.#tags[place] = tagOf(bits)
    this.#entries[place] = { token, ...cached }
  }

  /** Brings an empty place into use, in exchange for the one in use for longest. */
  #replaceOldest(place: number): void {
    const oldest = this.#order[this.#oldest] as number
    this.#tags[oldest] = EMPTY
    this.#entries[oldest] = undefined
    this.#order[this.#oldest] = place
    this.#oldest = (this.#oldest + 1) % this.#order.length
  }

  #firstPlace(bits: number): number {
    return (bits >>> 0) % this.#windows
  }

  /** The first place of the window that is empty or has the tag, else one of them in turn. */
  #choosePlace(tags: Uint16Array, bits: number): number {
    const tag = tagOf(bits)
    const first = this.#firstPlace(bits)
    for (let place = first; place < first + WINDOW; place++) {
      if (tags[place] === tag || tags[place] === EMPTY) return place
    }
    this.#turn = (this.#turn + 1) % WINDOW
    return first + this.#turn
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

/** Never `EMPTY`. */
function tagOf(bits: number): number {
  return (bits & 0xffff) | 1
}
