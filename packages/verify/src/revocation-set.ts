/** A page of the feed, as the auth service sends it: times are seconds since 1970. */
export interface RevocationPage {
  /** What to ask for next: everything after this. */
  readonly cursor: number
  /** Whether there is more to ask for at once. */
  readonly more: boolean
  /** `sid`, and when the entry may be forgotten. */
  readonly sessions: readonly (readonly [sid: string, expires: number])[]
  /** `sub`, the `iat` from which its tokens hold, and when the entry may be forgotten. */
  readonly subjects: readonly (readonly [sub: string, notBefore: number, expires: number])[]
}

/** Words of the filter for each entry: with 32 bits and 4 set, one look in about 200 is for nothing. */
const WORDS_PER_ENTRY = 1
const MIN_WORDS = 1024
/** Session IDs end in random characters; a hash of more would be slower and no better. */
const HASHED_CHARACTERS = 16

/**
 * The revocations that matter now.
 *
 * Nearly every token asked about is in none of them. So each question goes to a filter first, one
 * word of 4 bytes an entry (a Bloom filter in one cache line: Putze, Sanders, Singler, "Cache-, Hash- and
 * Space-Efficient Bloom Filters", 2007), and only what that cannot rule out is looked up in a map.
 */
export class RevocationSet {
  readonly #sessions = new Map<string, number>()
  readonly #subjects = new Map<string, { notBefore: number; expires: number }>()
  #filter = new Uint32Array(MIN_WORDS)
  /** Entries the filter was told of, the forgotten ones included. */
  #filtered = 0

  get size(): number {
    return this.#sessions.size + this.#subjects.size
  }

  add({ sessions, subjects }: Pick<RevocationPage, 'sessions' | 'subjects'>): void {
    this.#makeRoom(sessions.length + subjects.length)
    for (const [sid, expires] of sessions) {
      this.#sessions.set(sid, expires)
      this.#mark(sid)
    }
    for (const [sub, notBefore, expires] of subjects) {
      const known = this.#subjects.get(sub)
      // Whatever the order of arrival, the later boundary counts; set anew, it is the last to expire.
      this.#subjects.delete(sub)
      this.#subjects.set(sub, {
        notBefore: Math.max(notBefore, known?.notBefore ?? 0),
        expires: Math.max(expires, known?.expires ?? 0),
      })
      this.#mark(sub)
    }
  }

  /** Whether the session was ended, or the subject's tokens revoked after this one was issued. */
  has(sid: string | undefined, sub: string, iat: number | undefined): boolean {
    if (sid !== undefined && this.#mayHold(sid) && this.#sessions.has(sid)) return true
    if (this.#subjects.size === 0 || !this.#mayHold(sub)) return false
    const subject = this.#subjects.get(sub)
    // A token that does not say when it was issued cannot claim to be newer.
    return subject !== undefined && (iat === undefined || iat < subject.notBefore)
  }

  /** Drops what has expired. Entries come in the order in which they expire, so the first that has not ends it. */
  forget(nowSeconds: number): void {
    for (const [sid, expires] of this.#sessions) {
      if (expires > nowSeconds) break
      this.#sessions.delete(sid)
    }
    for (const [sub, { expires }] of this.#subjects) {
      if (expires > nowSeconds) break
      this.#subjects.delete(sub)
    }
    // A filter cannot forget: it is made anew once most of it is about entries that are gone.
    if (this.#filtered > MIN_WORDS && this.#filtered > 2 * this.size) this.#rebuild(this.size)
  }

  #makeRoom(count: number): void {
    const needed = this.#filtered + count
    if (needed * WORDS_PER_ENTRY > this.#filter.length) this.#rebuild(this.size + count)
  }

  #rebuild(capacity: number): void {
    const words = Math.max(MIN_WORDS, 2 ** Math.ceil(Math.log2((capacity + 1) * WORDS_PER_ENTRY)))
    this.#filter = new Uint32Array(words)
    this.#filtered = 0
    for (const sid of this.#sessions.keys()) this.#mark(sid)
    for (const sub of this.#subjects.keys()) this.#mark(sub)
  }

  #mark(id: string): void {
    const hash = hashId(id)
    const at = hash & (this.#filter.length - 1)
    this.#filter[at] = (this.#filter[at] ?? 0) | bitsOf(hash)
    this.#filtered += 1
  }

  #mayHold(id: string): boolean {
    const hash = hashId(id)
    const bits = bitsOf(hash)
    return ((this.#filter[hash & (this.#filter.length - 1)] ?? 0) & bits) === bits
  }
}

/** FNV-1a of the last characters, finished as MurmurHash3 does, so that all its bits are of use. */
function hashId(id: string): number {
  let hash = 0x811c9dc5
  for (let i = Math.max(0, id.length - HASHED_CHARACTERS); i < id.length; i++) {
    hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return hash ^ (hash >>> 13)
}

/** Four bits of a word, drawn from the hash anew: its low bits have chosen the word. */
function bitsOf(hash: number): number {
  const drawn = Math.imul(hash, 0x9e3779b1)
  return (
    (1 << (drawn & 31)) |
    (1 << ((drawn >>> 9) & 31)) |
    (1 << ((drawn >>> 18) & 31)) |
    (1 << ((drawn >>> 27) & 31))
  )
}
