import type { RevocationFeedOptions } from '../token/feed-options.ts'
import type { Revocations } from '../token/types.ts'
import { FeedClient } from './feed-client.ts'

/** How long `catchUp` waits for a page. Shorter than the 10 s that Fastify gives a hook. */
const MAX_SILENCE_MS = 8_000

/**
 * Revocations, polled in the background. See `createRevocationFeed`.
 * @example
 * ```ts
 * import type { RevocationFeed } from '@latchkey/verify'
 * const stop = (feed: RevocationFeed) => process.once('SIGTERM', () => feed.close())
 * ```
 */
export interface RevocationFeed extends Revocations {
  /** Number of revocations in memory. */
  readonly entries: number
  /** Seconds since the last complete poll began, by a monotonic clock; Infinity until the first. */
  readonly ageSeconds: number
  /**
   * Waits for the first complete poll: a server calls it before it accepts requests, because until
   * then it does not know which tokens were revoked. Never rejects.
   *
   * @param timeoutMs longest wait while pages arrive, 60,000 by default; 8 s without one
   * @returns whether the revocations are complete; false when the time ran out
   */
  catchUp(timeoutMs?: number): Promise<boolean>
  /** Stops polling. Known revocations stay in force. */
  close(): void
}

/**
 * Follows the auth service's revocations by polling in the background: no request waits for it.
 * While the auth service is unreachable, known revocations stay in force.
 *
 * The timer does not keep the process alive. Until the first complete poll, a failed one is
 * repeated after 0.1 s, then in growing steps of up to the interval; later, after one interval. An
 * entry is forgotten when no token it concerns can be valid, by the clock of the server that sent
 * it.
 *
 * @throws TypeError or RangeError when an option is missing or wrong
 * @example
 * ```ts
 * import { hostname } from 'node:os'
 * import { createRevocationFeed, createVerifier, openKeyring } from '@latchkey/verify'
 * const keys = openKeyring('keys.json')
 * const url = 'https://example.com/auth'
 * const service = 'orders'
 * const feed = createRevocationFeed({ url, keys, issuer, service, instance: hostname() })
 * if (!(await feed.catchUp())) console.warn('revocations are not known yet')
 * console.log(feed.entries, feed.ageSeconds) // 12 0.1
 * const verifier = createVerifier({ keys, issuer, audience: service, revocations: feed })
 * ```
 */
export function createRevocationFeed(options: RevocationFeedOptions): RevocationFeed {
  return new BackgroundFeed(options)
}

class BackgroundFeed extends FeedClient implements RevocationFeed {
  readonly #firstPoll = Promise.withResolvers<true>()
  #failures = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: RevocationFeedOptions) {
    super(options, (message) => process.emitWarning(message))
    void this.#loop()
  }

  async catchUp(timeoutMs = 60_000): Promise<boolean> {
    const begunMs = performance.now()
    const timeout = Promise.withResolvers<false>()
    const timer = setInterval(() => {
      const nowMs = performance.now()
      const silentMs = nowMs - Math.max(begunMs, this.lastPageMs)
      if (nowMs - begunMs >= timeoutMs || silentMs >= MAX_SILENCE_MS) timeout.resolve(false)
    }, 20)
    const caughtUp = Promise.race([this.#firstPoll.promise, timeout.promise])
    return caughtUp.finally(() => clearInterval(timer))
  }

  override close(): void {
    super.close()
    clearTimeout(this.#timer)
  }

  async #loop(): Promise<void> {
    const isOk = await this.poll()
    this.#failures = isOk ? 0 : this.#failures + 1
    if (isOk) this.#firstPoll.resolve(true)
    if (this.isClosed) return
    const jitter = 0.9 + Math.random() * 0.2
    this.#timer = setTimeout(() => void this.#loop(), this.#nextDelayMs() * jitter).unref()
  }

  #nextDelayMs(): number {
    const { pollIntervalMs } = this.options
    if (this.isComplete) return pollIntervalMs
    // A server waits for the first complete poll, often while the auth service starts.
    return Math.min(100 * 1.25 ** (this.#failures - 1), pollIntervalMs)
  }
}
