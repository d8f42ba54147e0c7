import { JwksClient, type JwksOptions } from './jwks-client.ts'

/** Fetches the keys when tokens are verified, for runtimes in which nothing runs between requests. */
export class OnDemandJwks extends JwksClient {
  constructor(options: JwksOptions) {
    super(options, (message) => console.warn(message))
  }

  /** Fetches the keys if they are unknown or a minute old. Never rejects. */
  async refresh(): Promise<void> {
    if (this.current === undefined || performance.now() >= this.dueMs) await this.poll()
  }
}
