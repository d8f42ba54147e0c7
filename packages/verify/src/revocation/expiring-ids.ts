const MIN_FILTER_WORDS = 1024
/** The filter has at least 16 bits for each ID. It then passes up to 2 % of unknown IDs. */
const IDS_PER_WORD = 2

/**
 * A set of IDs that expire in about the order in which they were added.
 *
 * Nearly every look-up is for an unknown ID. In a Map of a million strings it misses the
 * processor's caches several times, which adds a third to a verification. So a filter small enough
 * for those caches comes first (a blocked Bloom filter: Putze, Sanders, Singler, "Cache-, Hash- and
 * Space-Efficient Bloom Filters", 2007), and only IDs that it passes are looked up in the Map.
 */
export class ExpiringIds {
  readonly #expires = new Map<string, number>()
  #filter = new Uint32Array(MIN_FILTER_WORDS)
  /** IDs that may still be added to the filter. Expired ones stay in it until it is rebuilt. */
  #room = MIN_FILTER_WORDS * IDS_PER_WORD

  get size(): number {
    return this.#expires.size
  }

  add(id: string, expires: number): void {
    if (this.#room === 0) this.#rebuildFilter()
    this.#room--
    this.#expires.set(id, expires)
    this.#addToFilter(id)
  }

  has(id: string): boolean {
    const hash = hashEnd(id)
    const bits = filterBits(hash)
    const word = this.#filter[hash & (this.#filter.length - 1)] as number
    return (word & bits) === bits && this.#expires.has(id)
  }

  /** Drops expired IDs, up to the first that has not expired. */
  forget(nowSeconds: number): void {
    for (const [id, expires] of this.#expires) {
      if (expires > nowSeconds) return
      this.#expires.delete(id)
    }
  }

  #addToFilter(id: string): void {
    const hash = hashEnd(id)
    const at = hash & (this.#filter.length - 1)
    this.#filter[at] = (this.#filter[at] as number) | filterBits(hash)
  }

  #rebuildFilter(): void {
    const words = 2 ** Math.ceil(Math.log2(Math.max(this.size, MIN_FILTER_WORDS)))
    this.#filter = new Uint32Array(words)
    this.#room = words * IDS_PER_WORD - this.size
    for (const id of this.#expires.keys()) this.#addToFilter(id)
  }
}

/** Hashes the last eight characters, which are random in every UUID that auth creates. */
function hashEnd(id: string): number {
  let hash = 0
  for (let i = id.length - 8; i < id.length; i++) hash = Math.imul(hash, 31) + id.charCodeAt(i)
  return Math.imul(hash ^ (hash >>> 15), 0x85ebca6b)
}

/** Two bits of a filter word, from the high bits of the hash. The low bits chose the word. */
function filterBits(hash: number): number {
  return (1 << (hash >>> 27)) | (1 << ((hash >>> 22) & 31))
}
