import { JwksClient, type JwksOptions } from './jwks-client.ts'

/** The first polls follow each other faster, often while the server starts. */
const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 10_000
/** How long `catchUp` waits by default: shorter than the 10 s that Fastify gives a hook. */
const CATCH_UP_MS = 8_000

/**
 * The keys of a verifier that is created with `keys: { jwks }`.
 * @example
 * ```ts
 * import type { Jwks } from '@latchkey/verify'
 * const warn = () => console.warn('the public keys are not known yet')
 * const prepare = async (jwks: Jwks) => (await jwks.catchUp()) || warn()
 * ```
 */
export interface Jwks {
  /**
   * Waits for the keys: a server calls it before it accepts requests. Never rejects.
   *
   * @param timeoutMs longest wait, 8,000 by default
   * @returns whether the keys are known
   */
  catchUp(timeoutMs?: number): Promise<boolean>
  /** Stops fetching. The keys stay in use. */
  close(): void
}

/** Fetches the keys in the background, so that no token waits for them. */
export class BackgroundJwks extends JwksClient implements Jwks {
  readonly #known = Promise.withResolvers<true>()
  #timer: NodeJS.Timeout | undefined
  #retryMs = FIRST_RETRY_MS

  constructor(options: JwksOptions) {
    super(options, (message) => process.emitWarning(message))
  }

  /** Starts to fetch. Not in the constructor: other options of the verifier may be refused later. */
  start(): void {
    void this.#poll()
  }

  override onUnknownKey(): void {
    const before = this.dueMs
    super.onUnknownKey()
    if (this.dueMs < before) this.#schedule(this.dueMs - performance.now())
  }

  async catchUp(timeoutMs = CATCH_UP_MS): Promise<boolean> {
    const timeout = Promise.withResolvers<false>()
    const timer = setTimeout(() => timeout.resolve(false), timeoutMs)
    return Promise.race([this.#known.promise, timeout.promise]).finally(() => clearTimeout(timer))
  }

  override close(): void {
    super.close()
    clearTimeout(this.#timer)
  }

  async #poll(): Promise<void> {
    await this.poll()
    if (this.current !== undefined) this.#known.resolve(true)
    else this.dueMs = performance.now() + this.#retryMs
    this.#retryMs = Math.min(this.#retryMs * 1.5, MAX_RETRY_MS)
    this.#schedule(this.dueMs - performance.now())
  }

  /** With some variation, so that the verifiers of a fleet do not ask in the same moment. */
  #schedule(delayMs: number): void {
    clearTimeout(this.#timer)
    if (this.isClosed) return
    const jitter = 1 + Math.random() * 0.1
    this.#timer = setTimeout(() => void this.#poll(), Math.max(0, delayMs) * jitter).unref()
  }
}
