import { Credentials } from '../client/credentials.ts'
import { readText } from '../encoding/read-text.ts'
import { callSafely, checkCallbacks } from '../options/call-safely.ts'
import { checkNames } from '../options/check-names.ts'
import { limits, readNumbers } from '../token/bounds.ts'
import type { RevocationFeedOptions } from '../token/feed-options.ts'
import type { Claims, Revocations } from '../token/types.ts'
import { MAX_PAGE_BYTES, type RevocationPage, readRevocationPage } from './page.ts'
import { RevocationSet } from './set.ts'

const BOUNDS = { pollIntervalMs: [1_000, 100, 60_000], timeoutMs: [2_000, 100, 60_000] } as const
const OPTIONS = ['url', 'keys', 'issuer', 'service', 'instance', 'onPoll', ...Object.keys(BOUNDS)]

/** What a feed knows, and how it polls. When it polls is decided by the feeds built on it. */
export class FeedClient implements Revocations {
  readonly options: RevocationFeedOptions & Record<keyof typeof BOUNDS, number>
  readonly #url: URL
  readonly #warn: (message: string) => void
  readonly #credentials: Credentials
  readonly #set = new RevocationSet()
  /** The cursor of the last page; `undefined` to start from the beginning. */
  #cursor: string | number | undefined
  /** The last cursor, for the server to tell that nothing is new. */
  #etag: string | number | undefined
  #polling: AbortController | undefined
  /** When the last complete poll began, in milliseconds of the monotonic clock. */
  #completeAsOfMs = Number.NEGATIVE_INFINITY
  /** What to add to the monotonic clock to get the server's time, in seconds. */
  #serverOffset: number | undefined
  /** When the last page arrived, in milliseconds of the monotonic clock. */
  lastPageMs = 0
  version = 0
  isClosed = false

  /** @param warn reports a mistake of the caller */
  constructor(options: RevocationFeedOptions, warn: (message: string) => void) {
    checkNames(options, 'option', OPTIONS)
    checkCallbacks(options, 'onPoll')
    this.options = { ...options, ...readNumbers(options, BOUNDS) }
    this.#warn = warn
    this.#url = new URL(`${String(options.url).replace(/\/+$/, '')}/v1/revocations`)
    for (const name of ['issuer', 'service', 'instance'] as const) {
      if (typeof options[name] !== 'string' || options[name] === '') {
        throw new TypeError(`${name} must be a non-empty string`)
      }
    }
    if (options.instance.length > limits.maxInstanceLength) {
      throw new RangeError(`instance must be at most ${limits.maxInstanceLength} characters`)
    }
    if (!Array.isArray(options.keys?.current?.keys)) throw new TypeError('keys must be a keyring')
    this.#credentials = new Credentials(options)
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

  get isComplete(): boolean {
    return Number.isFinite(this.#completeAsOfMs)
  }

  close(): void {
    this.isClosed = true
    this.#polling?.abort()
  }

  /**
   * Polls until there is no next page, and reports to `onPoll`. Never rejects.
   *
   * @returns whether it succeeded
   */
  async poll(): Promise<boolean> {
    try {
      await this.#pollAll()
      this.#report()
      return true
    } catch (err) {
      if (!this.isClosed) this.#report(err instanceof Error ? err : new Error(String(err)))
      return false
    }
  }

  #report(error?: Error): void {
    callSafely('onPoll of the revocation feed', this.options.onPoll, error, this.#warn)
  }

  /** The set is complete as of the start of the last poll. */
  async #pollAll(): Promise<void> {
    for (;;) {
      const askedAtMs = performance.now()
      const page = await this.#pollPage()
      if (page !== undefined) {
        this.#set.add(page)
        this.version += 1
        this.#cursor = page.cursor
        this.#etag = page.cursor
        this.lastPageMs = performance.now()
        // The server's time when it answered: at the latest now, so nothing is forgotten early.
        if (page.now !== undefined) this.#serverOffset = page.now - this.lastPageMs / 1000
      }
      if (page?.more) continue
      // A server before version 0.2 cannot tell whether it still has what a number stands for.
      if (typeof this.#cursor === 'number') this.#cursor = undefined
      if (this.#serverOffset !== undefined) {
        this.#set.forget(this.#serverOffset + performance.now() / 1000)
      }
      this.#completeAsOfMs = Math.max(this.#completeAsOfMs, askedAtMs)
      return
    }
  }

  /** @returns the next page, or `undefined` when nothing is new */
  async #pollPage(): Promise<RevocationPage | undefined> {
    const { keys, instance, timeoutMs } = this.options
    this.#polling = new AbortController()
    const url = new URL(this.#url)
    if (this.#cursor !== undefined) url.searchParams.set('after', String(this.#cursor))
    url.searchParams.set('instance', instance)
    const kids = keys.current.keys.map(({ kid }) => kid).join()
    const isShort = encodeURIComponent(kids).length <= limits.maxKidsLength
    if (isShort) url.searchParams.set('kids', kids)
    const signal = AbortSignal.any([this.#polling.signal, AbortSignal.timeout(timeoutMs)])
    const response = await this.#credentials.use((credential) =>
      fetch(url, {
        headers: {
          authorization: `Bearer ${credential}`,
          'if-none-match': `"${this.#etag ?? ''}"`,
        },
        // Not followed: Cloudflare Workers do not know `error`. A redirect is not 200, so it fails.
        redirect: 'manual',
        signal,
      }),
    )
    if (response.status === 200) return readRevocationPage(response)
    if (response.status === 304) return undefined
    // A server before version 0.2 refuses the cursor of a newer one. Without its tag: the first page
    // has the same one if it ends there, and a 304 would pass for the end of the list.
    if (response.status === 400) {
      this.#cursor = undefined
      this.#etag = undefined
    }
    const code = readCode(await readText(response, MAX_PAGE_BYTES).catch(() => ''))
    throw new Error(`the revocation feed answered ${response.status}${code && ` ${code}`}`)
  }
}

/** The code of a problem (RFC 9457); empty for anything else, which may come from another server. */
const readCode = (text: string): string => /"code":"(\w{1,64})"/.exec(text)?.[1] ?? ''
