import type { Keyring } from '../keys/keyring.ts'
import type { Claims, Revocations } from '../token/types.ts'
import { parseRevocationPage } from './page.ts'
import { authAudience, mintServiceToken } from './service-token.ts'
import { RevocationSet } from './set.ts'

/** Longest answer taken: a whole page of 10,000 entries is about 0.6 MB. */
const MAX_PAGE_BYTES = 8 * 2 ** 20
/** Longest name that the auth service notes. */
const MAX_INSTANCE_LENGTH = 100
/** Longest list of key IDs reported, encoded: a longer one would make the URL too long, and the poll fail. */
const MAX_KIDS_LENGTH = 8_000

/** Options of `createRevocationFeed`. */
export interface RevocationFeedOptions {
  /** Where the auth service is, without `/v1`: `http://localhost:8080/auth`. */
  url: string | URL
  /** The keys this process verifies with: they sign the polls and are reported with them. */
  keys: Pick<Keyring, 'current'>
  /** The `iss` of this Latchkey's tokens. */
  issuer: string
  /** The name of the service that polls. */
  service: string
  /** The name of this process, as `latchkey keys status` shows it: 1 to 100 characters. */
  instance: string
  /** Between two polls, give or take a tenth. Milliseconds, 100 to 60,000, default 1,000. */
  pollIntervalMs?: number
  /** How long one poll may take. Milliseconds, 100 to 60,000, default 2,000. */
  timeoutMs?: number
  /** Told of every poll, for metrics and logs; `error` is missing when it succeeded. */
  onPoll?: (error?: Error) => void
}

/** What a feed knows, and since when. */
export interface RevocationFeedState {
  /** Revocations remembered now. */
  readonly entries: number
  /** Seconds since everything up to then was known; Infinity until the first time. */
  readonly ageSeconds: number
}

/** Revocations, pulled in the background. */
export interface RevocationFeed extends Revocations {
  readonly state: RevocationFeedState
  /** Resolves once everything revoked so far is known; never, while the auth service is away. */
  readonly caughtUp: Promise<void>
  /** Stops polling. What is known stays known. */
  close(): void
}

/**
 * Follows the auth service's revocations by polling: no request waits for it, and while the auth service
 * is away, what is known goes on to count.
 *
 * Polls come from a timer that does not keep the process alive. After a failure the next comes
 * after one, then at most two intervals, so that a service that is back is noticed. Entries are
 * forgotten when no token they concern can live.
 *
 * @throws TypeError or RangeError when an option is missing or wrong
 */
export function createRevocationFeed(options: RevocationFeedOptions): RevocationFeed {
  return new PollingFeed(options)
}

class PollingFeed implements RevocationFeed {
  readonly #options: RevocationFeedOptions
  readonly #url: URL
  readonly #intervalMs: number
  readonly #timeoutMs: number
  readonly #set = new RevocationSet()
  readonly #caughtUp = Promise.withResolvers<void>()
  readonly #closing = new AbortController()
  #cursor = 0
  #failures = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  version = 0
  asOf = Number.NEGATIVE_INFINITY

  constructor(options: RevocationFeedOptions) {
    this.#options = options
    this.#url = new URL(`${String(options.url).replace(/\/+$/, '')}/v1/revocations`)
    this.#intervalMs = readMilliseconds('pollIntervalMs', options.pollIntervalMs, 1000)
    this.#timeoutMs = readMilliseconds('timeoutMs', options.timeoutMs, 2000)
    for (const name of ['issuer', 'service', 'instance'] as const) {
      if (typeof options[name] !== 'string' || options[name] === '') {
        throw new TypeError(`${name} must be a non-empty string`)
      }
    }
    if (options.instance.length > MAX_INSTANCE_LENGTH) {
      throw new RangeError(`instance must be at most ${MAX_INSTANCE_LENGTH} characters`)
    }
    void this.#loop()
  }

  isRevoked({ sid, sub, iat }: Claims): boolean {
    return this.#set.has(sid, sub, iat)
  }

  get state(): RevocationFeedState {
    return { entries: this.#set.size, ageSeconds: Date.now() / 1000 - this.asOf }
  }

  get caughtUp(): Promise<void> {
    return this.#caughtUp.promise
  }

  close(): void {
    this.#closing.abort()
    clearTimeout(this.#timer)
  }

  async #loop(): Promise<void> {
    try {
      await this.#catchUp()
      this.#failures = 0
      this.#options.onPoll?.()
    } catch (err) {
      if (this.#closing.signal.aborted) return
      this.#failures += 1
      this.#options.onPoll?.(err instanceof Error ? err : new Error(String(err)))
    }
    if (this.#closing.signal.aborted) return
    const jitter = 0.9 + Math.random() * 0.2
    const backOff = this.#failures > 1 ? 2 : 1
    this.#timer = setTimeout(() => void this.#loop(), this.#intervalMs * jitter * backOff)
    // Only Node's timers keep a process alive, and only they have this.
    ;(this.#timer as { unref?: () => void }).unref?.()
  }

  /** Asks until there is no more. What is known is known as of when the last question was asked. */
  async #catchUp(): Promise<void> {
    for (;;) {
      const askedAt = Date.now() / 1000
      const page = await this.#poll()
      if (page !== undefined) {
        this.#set.add(page)
        this.version += 1
        this.#cursor = page.cursor
      }
      if (page?.more) continue
      this.#set.forget(askedAt)
      this.asOf = askedAt
      this.#caughtUp.resolve()
      return
    }
  }

  async #poll() {
    const { keys, issuer, service, instance } = this.#options
    const url = new URL(this.#url)
    url.searchParams.set('after', String(this.#cursor))
    url.searchParams.set('instance', instance)
    const kids = keys.current.keys.map(({ kid }) => kid).join()
    if (encodeURIComponent(kids).length <= MAX_KIDS_LENGTH) url.searchParams.set('kids', kids)
    const scope = 'revocations:read'
    const token = await mintServiceToken(keys, { issuer, service, audience: authAudience, scope })
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${token}`, 'if-none-match': `"${this.#cursor}"` },
      redirect: 'error',
      signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#timeoutMs)]),
    })
    if (response.status === 304) {
      await response.body?.cancel()
      return undefined
    }
    if (response.status !== 200) {
      await response.body?.cancel()
      throw new Error(`the revocation feed answered ${response.status}`)
    }
    return parseRevocationPage(await readText(response))
  }
}

async function readText(response: Response): Promise<string> {
  const chunks: string[] = []
  const decoder = new TextDecoder()
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > MAX_PAGE_BYTES) throw new Error('the revocation feed answered with too much')
    chunks.push(decoder.decode(chunk, { stream: true }))
  }
  return chunks.join('') + decoder.decode()
}

function readMilliseconds(option: string, value: number | undefined, preset: number): number {
  if (value === undefined) return preset
  if (!(value >= 100 && value <= 60_000)) throw new RangeError(`${option} must be 100 to 60,000`)
  return value
}
