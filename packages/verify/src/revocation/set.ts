import { isUuid, UuidTable } from './uuid-table.ts'

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

/** The revocations that matter now. */
export class RevocationSet {
  /** Sessions of the auth service: there may be a million of them. */
  readonly #sessions = new UuidTable()
  /** Sessions whose IDs somebody else made. */
  readonly #otherSessions = new Map<string, number>()
  readonly #subjects = new Map<string, { notBefore: number; expires: number }>()

  get size(): number {
    return this.#sessions.size + this.#otherSessions.size + this.#subjects.size
  }

  add({ sessions, subjects }: Pick<RevocationPage, 'sessions' | 'subjects'>): void {
    for (const [sid, expires] of sessions) {
      if (isUuid(sid)) this.#sessions.add(sid, expires)
      else this.#otherSessions.set(sid, expires)
    }
    for (const [sub, notBefore, expires] of subjects) {
      const known = this.#subjects.get(sub)
      // Whatever the order of arrival, the later boundary counts; set anew, it is the last to expire.
      this.#subjects.delete(sub)
      this.#subjects.set(sub, {
        notBefore: Math.max(notBefore, known?.notBefore ?? 0),
        expires: Math.max(expires, known?.expires ?? 0),
      })
    }
  }

  /** Whether the session was ended, or the subject's tokens revoked after this one was issued. */
  has(sid: string | undefined, sub: string, iat: number | undefined): boolean {
    if (sid !== undefined && (this.#sessions.has(sid) || this.#hasOther(sid))) return true
    if (this.#subjects.size === 0) return false
    const subject = this.#subjects.get(sub)
    // A token that does not say when it was issued cannot claim to be newer.
    return subject !== undefined && (iat === undefined || iat < subject.notBefore)
  }

  /** Drops what has expired. Entries come in the order in which they expire, so the first that has not ends it. */
  forget(nowSeconds: number): void {
    this.#sessions.forget(nowSeconds)
    for (const [sid, expires] of this.#otherSessions) {
      if (expires > nowSeconds) break
      this.#otherSessions.delete(sid)
    }
    for (const [sub, { expires }] of this.#subjects) {
      if (expires > nowSeconds) break
      this.#subjects.delete(sub)
    }
  }

  #hasOther(sid: string): boolean {
    return this.#otherSessions.size > 0 && this.#otherSessions.has(sid)
  }
}
