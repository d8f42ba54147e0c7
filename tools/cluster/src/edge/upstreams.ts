import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Pool } from 'undici'

/** The address of one instance. */
export interface UpstreamAddress {
  readonly name: string
  readonly origin: string
}

/** The instances by first path segment, as `{ orders: [{ name: 'orders-1', … }] }`. */
export type Routes = Readonly<Record<string, readonly UpstreamAddress[]>>

/** Failed checks until an instance counts as unhealthy. A busy instance may miss one. */
const maxMissedChecks = 2
const checkTimeoutMs = 2_000
const connectTimeoutMs = 2_000
/** Between two chunks of a response's body. */
const bodyTimeoutMs = 30_000
/** How long a removed instance may take to answer its requests. */
const drainTimeoutMs = 10_000
const connectionsPerUpstream = 128

/** One instance, its connections and its health. */
export class Upstream {
  readonly name: string
  readonly origin: string
  readonly pool: Pool
  /** Called when its checks fail: a request that waits for its answer may try another instance. */
  readonly onUnhealthy = new Set<() => void>()
  #healthy = true
  /** Checks do not wait for the clients' requests. */
  readonly #checks: Client
  #missedChecks = 0

  /** @param headersTimeout from the end of a request to the response's headers, in milliseconds */
  constructor({ name, origin }: UpstreamAddress, headersTimeout: number) {
    this.name = name
    this.origin = origin
    const connect = { timeout: connectTimeoutMs }
    this.#checks = new Client(origin, { connect })
    this.pool = new Pool(origin, {
      connections: connectionsPerUpstream,
      connect,
      headersTimeout,
      bodyTimeout: bodyTimeoutMs,
      keepAliveMaxTimeout: 60_000,
    })
  }

  get healthy(): boolean {
    return this.#healthy
  }

  /**
   * Checks `/livez`. Not `/readyz`: without Postgres no instance is ready, and verification must
   * keep working.
   */
  async check(): Promise<void> {
    try {
      const { statusCode, body } = await this.#checks.request({
        path: '/livez',
        method: 'GET',
        signal: AbortSignal.timeout(checkTimeoutMs),
      })
      await body.dump()
      if (statusCode !== 200) throw new Error(`/livez answered ${statusCode}`)
      this.#missedChecks = 0
      this.#healthy = true
    } catch {
      this.#missedChecks += 1
      if (this.#missedChecks < maxMissedChecks) return
      this.#healthy = false
      for (const giveUp of this.onUnhealthy) giveUp()
    }
  }

  /** A refused connection marks it unhealthy; any other failure triggers a check. */
  async reportFailure(err: Error & { code?: string }): Promise<void> {
    if (err.code === 'ECONNREFUSED') this.#healthy = false
    else await this.check()
  }

  /** Closes the connections when all requests are answered, or after 10 s. */
  async drain(): Promise<void> {
    await Promise.race([this.pool.close(), sleep(drainTimeoutMs, undefined, { ref: false })])
    await this.destroy()
  }

  /** Cuts all connections. */
  async destroy(): Promise<void> {
    await Promise.all([this.pool.destroy(), this.#checks.destroy()])
  }
}

/** The instances of one service. */
export class UpstreamGroup {
  members: readonly Upstream[] = []
  #turn = 0

  /**
   * The next instance in turn that was not tried yet, healthy ones first. If none is healthy, the
   * others are tried anyway: the checks may be wrong.
   */
  next(tried: ReadonlySet<Upstream>): Upstream | undefined {
    const { members } = this
    const inTurn = [...members.slice(this.#turn), ...members.slice(0, this.#turn)]
    const untried = inTurn.filter((member) => !tried.has(member))
    const next = untried.find((member) => member.healthy) ?? untried[0]
    if (next) this.#turn = (members.indexOf(next) + 1) % members.length
    return next
  }
}
