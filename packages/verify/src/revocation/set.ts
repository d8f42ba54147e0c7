import { ExpiringIds } from './expiring-ids.ts'
import type { RevocationPage } from './page.ts'

/** The revocations that can still concern a live token. */
export class RevocationSet {
  /** By `sid`. */
  readonly #sessions = new ExpiringIds()
  /** By `sub`. */
  readonly #subjects = new Map<string, { notBefore: number; expires: number }>()

  get size(): number {
    return this.#sessions.size + this.#subjects.size
  }

  add({ sessions, subjects }: Pick<RevocationPage, 'sessions' | 'subjects'>): void {
    for (const [sid, expires] of sessions) this.#sessions.add(sid, expires)
    for (const [sub, notBefore, expires] of subjects) {
      const known = this.#subjects.get(sub)
      // Whatever the order of arrival, the later boundary wins. Deleted first, it moves to the end.
      this.#subjects.delete(sub)
      this.#subjects.set(sub, {
        notBefore: Math.max(notBefore, known?.notBefore ?? 0),
        expires: Math.max(expires, known?.expires ?? 0),
      })
    }
  }

  /** Whether the session was ended, or the subject's tokens revoked after this one was issued. */
  has(sid: string | undefined, sub: string, iat: number | undefined): boolean {
    if (sid !== undefined && this.#sessions.has(sid)) return true
    if (this.#subjects.size === 0) return false
    const subject = this.#subjects.get(sub)
    // A token without `iat` cannot claim to be newer.
    return subject !== undefined && (iat === undefined || iat < subject.notBefore)
  }

  /** Drops expired entries. They are in order of expiry: the first live one ends the search. */
  forget(nowSeconds: number): void {
    this.#sessions.forget(nowSeconds)
    for (const [sub, { expires }] of this.#subjects) {
      if (expires > nowSeconds) return
      this.#subjects.delete(sub)
    }
  }
}
