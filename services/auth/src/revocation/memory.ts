import type { RevocationPage } from './store.ts'

/** Revocations as they are written: IDs, the smallest valid `iat`, and the expiry, in seconds. */
export interface RevocationList {
  sessions: (readonly [sid: string, expires: number])[]
  subjects: (readonly [sub: string, notBefore: number, expires: number])[]
}

/** The revocations that an instance has seen in the database and that have not expired. */
export class RevocationMemory {
  readonly #sessions = new Map<string, number>()
  readonly #subjects = new Map<string, readonly [notBefore: number, expires: number]>()
  #forgottenAt = Number.NEGATIVE_INFINITY

  add({ sessions, subjects }: Pick<RevocationPage, 'sessions' | 'subjects'>): void {
    const read: RevocationList = { sessions: JSON.parse(sessions), subjects: JSON.parse(subjects) }
    for (const [sid, expires] of read.sessions) this.#sessions.set(sid, expires)
    for (const [sub, notBefore, expires] of read.subjects) {
      const [knownBoundary, knownExpiry] = this.#subjects.get(sub) ?? [0, 0]
      // When all is read again, older boundaries come after newer ones.
      this.#subjects.set(sub, [Math.max(knownBoundary, notBefore), Math.max(knownExpiry, expires)])
    }
  }

  has(id: string): boolean {
    return this.#sessions.has(id) || this.#subjects.has(id)
  }

  /**
   * Drops what has expired by the database's clock, in seconds: once a minute, since it reads all,
   * or when it is due.
   */
  forget(now: number, { isDue }: { isDue: boolean }): void {
    if (!isDue && now < this.#forgottenAt + 60) return
    this.#forgottenAt = now
    for (const [sid, expires] of this.#sessions) if (expires <= now) this.#sessions.delete(sid)
    for (const [sub, [, expires]] of this.#subjects) if (expires <= now) this.#subjects.delete(sub)
  }

  /** What this memory has and the other one lacks. */
  minus(other: RevocationMemory): RevocationList {
    return {
      sessions: [...this.#sessions].filter(([sid]) => !other.#sessions.has(sid)),
      subjects: [...this.#subjects]
        .filter(([sub, [notBefore]]) => (other.#subjects.get(sub)?.[0] ?? 0) < notBefore)
        .map(([sub, [notBefore, expires]]) => [sub, notBefore, expires]),
    }
  }
}
