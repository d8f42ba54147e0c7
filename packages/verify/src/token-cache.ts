import type { Claims } from './types.ts'

/** A verified token. Its strings have to be flat: a slice would keep the request it was cut from. */
export interface CachedToken {
  /** Header and claims, encoded: all of the token but its signature. */
  readonly signingInput: string
  readonly signature: string
  readonly result: { readonly ok: true; readonly claims: Claims }
}

/** An access token is under 1 KB; a cache full of longer ones holds fewer of them. */
const AVERAGE_TOKEN_BYTES = 1024

/**
 * Remembers verified tokens, and only those, in bounded memory.
 *
 * Two generations: when the younger is full it becomes the older, and the older is forgotten. What is used
 * in between moves to the younger again.
 *
 * Keyed by the signature, which is cheaper to hash than the whole token; the rest is compared in full.
 */
export class TokenCache {
  readonly #maxEntries: number
  readonly #maxBytes: number
  #young = new Map<string, CachedToken>()
  #old = new Map<string, CachedToken>()
  #youngBytes = 0

  /** @param maxEntries of both generations together, at least 2 */
  constructor(maxEntries: number) {
    this.#maxEntries = Math.floor(maxEntries / 2)
    this.#maxBytes = this.#maxEntries * AVERAGE_TOKEN_BYTES
  }

  /** @param dot where the second dot is in `token` */
  find(token: string, dot: number): CachedToken | undefined {
    const signature = token.slice(dot + 1)
    const young = this.#young.get(signature)
    const cached = young ?? this.#old.get(signature)
    if (cached === undefined) return undefined
    if (cached.signingInput.length !== dot || !token.startsWith(cached.signingInput))
      return undefined
    if (young === undefined) this.add(cached)
    return cached
  }

  add(token: CachedToken): void {
    const bytes = token.signingInput.length
    if (this.#young.size >= this.#maxEntries || this.#youngBytes + bytes > this.#maxBytes) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngBytes = 0
    }
    this.#young.set(token.signature, token)
    this.#youngBytes += bytes
  }
}
