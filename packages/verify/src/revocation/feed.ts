import type { Keyring } from '../keys/keyring.ts'
import { limits, readNumbers } from '../token/bounds.ts'
import type { Claims, Revocations } from '../token/types.ts'
import { type RevocationPage, readRevocationPage } from './page.ts'
import { authAudience, mintServiceToken } from './service-token.ts'
import { RevocationSet } from './set.ts'

const BOUNDS = { pollIntervalMs: [1_000, 100, 60_000], timeoutMs: [2_000, 100, 60_000] } as const

/** How long `catchUp` waits for a page. */
const MAX_SILENCE_MS = 8_000

/**
 * Options of `createRevocationFeed`.
 * @example
 * ```ts
 * import type { RevocationFeedOptions } from '@latchkey/verify'
 * const onPoll: RevocationFeedOptions['onPoll'] = (err) => console.log(err?.message ?? 'ok')
 * ```
 */
export interface RevocationFeedOptions {
  /** Address of the auth service, without `/v1`: `http://localhost:8080/auth`. */
  url: string | URL
  /** The keys this process verifies with. Polls are signed with them and report their IDs. */
  keys: Pick<Keyring, 'current'>
  /** The `iss` of the tokens. */
  issuer: string
  /** Name of the service that polls. */
  service: string
  /** Name of this process in `latchkey keys status`: 1 to 100 characters. */
  instance: string
  /** Time between two polls, plus or minus 10 %. Milliseconds, 100 to 60,000, default 1,000. */
  pollIntervalMs?: number
  /** Time limit of one poll. Milliseconds, 100 to 60,000, default 2,000. */
  timeoutMs?: number
  /** Called after every poll, for metrics and logs; `error` is missing when it succeeded. */
  onPoll?: (error?: Error) => void
}

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
   * @param timeoutMs longest wait while pages arrive, by default 60,000; without one it ends after 8 s
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
 * repeated after 0.1 s, then in growing steps of up to the interval; later, after one interval, and
 * from the second failure on after two. An entry is forgotten when no token it concerns can be
 * valid, by the clock of the server that sent it.
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
  return new PollingFeed(options)
}

class PollingFeed implements RevocationFeed {
  readonly #options: RevocationFeedOptions & Record<keyof typeof BOUNDS, number>
  readonly #url: URL
  readonly #set = new RevocationSet()
  readonly #firstPoll = Promise.withResolvers<true>()
  readonly #closing = new AbortController()
  #cursor = 0
  #failures = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  /** When the last page arrived, in milliseconds of the monotonic clock. */
  #lastPageMs = 0
  /** When the last complete poll began, in milliseconds of the monotonic clock. */
  #completeAsOfMs = Number.NEGATIVE_INFINITY
  /** What to add to the monotonic clock to get the server's time, in seconds. */
  #serverOffset: number | undefined
  version = 0

  constructor(options: RevocationFeedOptions) {
    this.#options = { ...options, ...readNumbers(options, BOUNDS) }
    this.#url = new URL(`${String(options.url).replace(/\/+$/, '')}/v1/revocations`)
    for (const name of ['issuer', 'service', 'instance'] as const) {
      if (typeof options[name] !== 'string' || options[name] === '') {
        throw new TypeError(`${name} must be a non-empty string`)
      }
    }
    if (options.instance.length > limits.maxInstanceLength) {
      throw new RangeError(`instance must be at most ${limits.maxInstanceLength} characters`)
    }
    void this.#loop()
  }

  isRevoked({ sid, sub, iat }: Claims): boolean {
    return this.#set.has(sid, sub, iat)
  }

  get entries(): number {
    return this.#set.size
  }

  get ageSeconds(): number {
    return (performance.now() - this.#completeAsOfMs) / 1000
  }

  async catchUp(timeoutMs = 60_000): Promise<boolean> {
    const begunMs = performance.now()
    const timeout = Promise.withResolvers<false>()
    const timer = setInterval(() => {
      const nowMs = performance.now()
      const silentMs = nowMs - Math.max(begunMs, this.#lastPageMs)
      if (nowMs - begunMs >= timeoutMs || silentMs >= MAX_SILENCE_MS) timeout.resolve(false)
    }, 20)
    const caughtUp = Promise.race([this.#firstPoll.promise, timeout.promise])
    return caughtUp.finally(() => clearInterval(timer))
  }

  close(): void {
    this.#closing.abort()
    clearTimeout(this.#timer)
  }

  async #loop(): Promise<void> {
    try {
      await this.#pollAll()
      this.#failures = 0
      this.#options.onPoll?.()
    } catch (err) {
      if (this.#closing.signal.aborted) return
      this.#failures += 1
      this.#options.onPoll?.(err instanceof Error ? err : new Error(String(err)))
    }
    if (this.#closing.signal.aborted) return
    const jitter = 0.9 + Math.random() * 0.2
    this.#timer = setTimeout(() => void this.#loop(), this.#nextDelayMs() * jitter)
    // Only Node's timers keep a process alive, and only they have `unref`.
    ;(this.#timer as { unref?: () => void }).unref?.()
  }

  #nextDelayMs(): number {
    const { pollIntervalMs } = this.#options
    if (Number.isFinite(this.#completeAsOfMs))
      return this.#failures > 1 ? 2 * pollIntervalMs : pollIntervalMs
    // A server waits for the first complete poll, often while the auth service starts.
    return Math.min(100 * 1.25 ** (this.#failures - 1), pollIntervalMs)
  }

  /** Polls until there is no next page. The set is complete as of the start of the last poll. */
  async #pollAll(): Promise<void> {
    for (;;) {
      const askedAtMs = performance.now()
      const page = await this.#poll()
      if (page !== undefined) {
        this.#set.add(page)
        this.version += 1
        this.#cursor = page.cursor
        this.#lastPageMs = performance.now()
        // The server's time when it answered: at the latest now, so nothing is forgotten early.
        if (page.now !== undefined) this.#serverOffset = page.now - this.#lastPageMs / 1000
      }
      if (page?.more) continue
      if (this.#serverOffset !== undefined) {
        this.#set.forget(this.#serverOffset + performance.now() / 1000)
      }
      this.#completeAsOfMs = askedAtMs
      this.#firstPoll.resolve(true)
      return
    }
  }

  /** @returns the next page, or `undefined` when nothing is new */
  async #poll(): Promise<RevocationPage | undefined> {
    const { keys, issuer, service, instance, timeoutMs } = this.#options
    const url = new URL(this.#url)
    url.searchParams.set('after', String(this.#cursor))
    url.searchParams.set('instance', instance)
    const kids = keys.current.keys.map(({ kid }) => kid).join()
    const isShort = encodeURIComponent(kids).length <= limits.maxKidsLength
    if (isShort) url.searchParams.set('kids', kids)
    const scope = 'revocations:read'
    const token = await mintServiceToken(keys, { issuer, service, audience: authAudience, scope })
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${token}`, 'if-none-match': `"${this.#cursor}"` },
      redirect: 'error',
      signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(timeoutMs)]),
    })
    if (response.status === 200) return readRevocationPage(response)
    await response.body?.cancel()
    if (response.status === 304) return undefined
    throw new Error(`the revocation feed answered ${response.status}`)
  }
}
