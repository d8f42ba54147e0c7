/** The longest outage that counts, in seconds. */
const maxSeconds = 600

/** How long the database was unavailable, by the polls of this instance and a monotonic clock. */
export class Outage {
  #succeededAtMs = performance.now()
  #endedAtMs = Number.NEGATIVE_INFINITY
  #durationMs = 0
  isOver = true

  succeeded(): void {
    const nowMs = performance.now()
    if (!this.isOver) {
      this.#durationMs = nowMs - this.#succeededAtMs
      this.#endedAtMs = nowMs
    }
    this.#succeededAtMs = nowMs
    this.isOver = true
  }

  failed(): void {
    this.isOver = false
  }

  /** The seconds of an outage that lasts, or that ended at most this many seconds ago; else 0. */
  recentSeconds(withinSeconds: number): number {
    const nowMs = performance.now()
    const isRecent = nowMs - this.#endedAtMs < withinSeconds * 1_000
    const durationMs = this.isOver ? this.#durationMs : nowMs - this.#succeededAtMs
    return this.isOver && !isRecent ? 0 : Math.min(maxSeconds, durationMs / 1_000)
  }
}
