import type { RevocationFeedOptions } from '../token/feed-options.ts'
import type { Revocations } from '../token/types.ts'
import { FeedClient } from './feed-client.ts'

/**
 * Revocations, polled when tokens are verified. See `createRevocationFeed`.
 * @example
 * ```ts
 * import type { RevocationFeed } from '@latchkey/verify/fetch'
 * const isFresh = ({ ageSeconds }: RevocationFeed) => ageSeconds < 30
 * ```
 */
export interface RevocationFeed extends Revocations {
  /** Number of revocations in memory. */
  readonly entries: number
  /** Polls if the last poll is older than `pollIntervalMs`. Never rejects. */
  refresh(): Promise<void>
}

/**
 * Follows the auth service's revocations without a timer, for runtimes in which nothing runs
 * between two requests. The verifier polls before it checks a token, if the last poll is older than
 * `pollIntervalMs`: about one request a second waits for it, and the others do not. Until the first
 * complete poll, every request polls, unless one has just failed. It does nothing when it is
 * created, so it may be created where no request is under way.
 *
 * @throws TypeError or RangeError when an option is missing or wrong
 * @example
 * ```ts
 * import { createRevocationFeed, createVerifier, parseKeySet } from '@latchkey/verify/fetch'
 * const keys = { current: parseKeySet(process.env.LATCHKEY_KEYS ?? '') }
 * const url = 'https://example.com/auth'
 * const service = 'orders'
 * const revocations = createRevocationFeed({ url, keys, issuer, service, instance: 'edge' })
 * const verifier = createVerifier({ keys, issuer, audience: service, revocations })
 * ```
 */
export function createRevocationFeed(options: RevocationFeedOptions): RevocationFeed {
  return new OnDemandFeed(options)
}

class OnDemandFeed extends FeedClient implements RevocationFeed {
  #nextPollMs = 0

  constructor(options: RevocationFeedOptions) {
    super(options, (message) => console.warn(message))
  }

  async refresh(): Promise<void> {
    const { pollIntervalMs, timeoutMs } = this.options
    if (performance.now() < this.#nextPollMs) return
    // Requests share no promises in Workers, and one that is cancelled never ends its poll.
    if (this.isComplete) this.#nextPollMs = performance.now() + timeoutMs + pollIntervalMs
    await this.poll()
    this.#nextPollMs = performance.now() + pollIntervalMs
  }
}
