/** An ID as the auth service makes them: a UUID in lower case (RFC 9562 section 4). */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const MIN_CAPACITY = 1024
/** Bits of the filter for each entry there is room for; with 3 of them set, one look in 100 is for nothing. */
const FILTER_BITS_PER_ENTRY = 16

/** Whether an ID can be kept in a `UuidTable`. */
export const isUuid = (id: string): boolean => UUID.test(id)

/**
 * A set of UUIDs that are forgotten in the order in which they were added.
 *
 * A million of them take 50 MB and nothing for the garbage collector to follow. Nearly every question is
 * about a UUID that is not in it, so each goes to a filter first, small enough for the processor's cache:
 * one word of it tells (a blocked Bloom filter: Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient
 * Bloom Filters", 2007). Only what that cannot rule out is looked up: open addressing over a log of entries.
 */
export class UuidTable {
  /** Entries in the order of their arrival, four words each; those before `#head` are forgotten. */
  #words = new Uint32Array(4 * MIN_CAPACITY)
  #expires = new Uint32Array(MIN_CAPACITY)
  #head = 0
  #next = 0
  /** Hash slots: the place of an entry in the log, plus one; forgotten ones stay until all is made anew. */
  #slots = new Uint32Array(2 * MIN_CAPACITY)
  #filter = new Uint32Array((MIN_CAPACITY * FILTER_BITS_PER_ENTRY) / 32)

  get size(): number {
    return this.#next - this.#head
  }

  /**
   * Adds a UUID; one that is there already is left as it is.
   *
   * @param id must be one by `isUuid`
   * @param expires when to forget it, in whole seconds
   */
  add(id: string, expires: number): void {
    if (this.has(id)) return
    if (this.#next === this.#expires.length) this.#rebuild(2 * this.size)
    const at = this.#next++
    for (let word = 0; word < 4; word++) this.#words[4 * at + word] = readWord(id, word)
    this.#expires[at] = expires
    this.#enter(at)
  }

  has(id: string): boolean {
    if (id.length !== 36) return false
    const last = readWord(id, 3)
    const hash = mix(last)
    const bits = bitsOf(hash)
    if (((this.#filter[hash & (this.#filter.length - 1)] as number) & bits) !== bits) return false
    return isUuid(id) && this.#find(id, last, hash)
  }

  /** Forgets from the oldest on, up to the first that has not expired. */
  forget(nowSeconds: number): void {
    while (this.#head < this.#next && (this.#expires[this.#head] as number) <= nowSeconds)
      this.#head++
    const isMostlyEmpty = this.size < this.#expires.length / 4
    if (isMostlyEmpty && this.#expires.length > MIN_CAPACITY) this.#rebuild(2 * this.size)
  }

  #find(id: string, last: number, hash: number): boolean {
    const slots = this.#slots
    for (let slot = hash & (slots.length - 1); ; slot = (slot + 1) & (slots.length - 1)) {
      const at = (slots[slot] as number) - 1
      if (at < 0) return false
      if (at < this.#head || this.#words[4 * at + 3] !== last) continue
      const isSame = [0, 1, 2].every((word) => this.#words[4 * at + word] === readWord(id, word))
      if (isSame) return true
    }
  }

  /** Puts an entry of the log into a slot and the filter. */
  #enter(at: number): void {
    const hash = mix(this.#words[4 * at + 3] as number)
    const slots = this.#slots
    let slot = hash & (slots.length - 1)
    while (slots[slot] !== 0) slot = (slot + 1) & (slots.length - 1)
    slots[slot] = at + 1
    const word = hash & (this.#filter.length - 1)
    this.#filter[word] = (this.#filter[word] as number) | bitsOf(hash)
  }

  /** Moves what is live to fresh arrays. Each entry is moved once or twice in its life. */
  #rebuild(wanted: number): void {
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(wanted, MIN_CAPACITY)))
    const words = new Uint32Array(4 * capacity)
    const expires = new Uint32Array(capacity)
    words.set(this.#words.subarray(4 * this.#head, 4 * this.#next))
    expires.set(this.#expires.subarray(this.#head, this.#next))
    this.#next -= this.#head
    this.#head = 0
    this.#words = words
    this.#expires = expires
    this.#slots = new Uint32Array(2 * capacity)
    this.#filter = new Uint32Array((capacity * FILTER_BITS_PER_ENTRY) / 32)
    for (let at = 0; at < this.#next; at++) this.#enter(at)
  }
}

/** Where the eight digits of each 32-bit word begin; the hyphens lie between. */
const WORD_STARTS = [0, 9, 19, 28]
/** In the middle words a hyphen comes after four digits. */
const WORD_BREAKS = [0, 1, 1, 0]

function readWord(id: string, word: number): number {
  const start = WORD_STARTS[word] as number
  const second = start + 4 + (WORD_BREAKS[word] as number)
  return ((readDigits(id, start) << 16) | readDigits(id, second)) >>> 0
}

/** Four hexadecimal digits: '0' to '9' have the value in their low bits, 'a' to 'f' the value less 9. */
function readDigits(id: string, at: number): number {
  const a = id.charCodeAt(at)
  const b = id.charCodeAt(at + 1)
  const c = id.charCodeAt(at + 2)
  const d = id.charCodeAt(at + 3)
  return (
    (((a & 15) + 9 * (a >> 6)) << 12) |
    (((b & 15) + 9 * (b >> 6)) << 8) |
    (((c & 15) + 9 * (c >> 6)) << 4) |
    ((d & 15) + 9 * (d >> 6))
  )
}

/** Spreads the last word, which is random in every version the auth service makes (MurmurHash3's finish). */
function mix(word: number): number {
  const hash = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  return hash ^ (hash >>> 13)
}

/** Three bits of a word of the filter, drawn anew: the low bits of the hash have chosen the word. */
function bitsOf(hash: number): number {
  const drawn = Math.imul(hash, 0x9e3779b1)
  return (1 << (drawn >>> 27)) | (1 << ((drawn >>> 22) & 31)) | (1 << ((drawn >>> 17) & 31))
}
