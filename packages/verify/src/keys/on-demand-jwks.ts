import { JwksClient, type JwksOptions } from './jwks-client.ts'

/** Until the first keys have arrived, a fetch that failed is not repeated sooner than this. */
const RETRY_MS = 1_000

/** Fetches the keys when tokens are verified, for runtimes in which nothing runs between requests. */
export class OnDemandJwks extends JwksClient {
  #retryAtMs = 0

  constructor(options: JwksOptions) {
    super(options, (message) => console.warn(message))
  }

  /**
   * Fetches the keys if they are a minute old. Until the first have arrived, every request does,
   * because requests share no promises in Workers, unless a fetch has just failed. Never rejects.
   */
  async refresh(): Promise<void> {
    const dueMs = this.current === undefined ? this.#retryAtMs : this.dueMs
    if (performance.now() < dueMs) return
    await this.poll()
    this.#retryAtMs = performance.now() + RETRY_MS
  }
}
