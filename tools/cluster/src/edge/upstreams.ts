import { Pool } from 'undici'

/** The address of one instance. */
export interface UpstreamAddress {
  readonly name: string
  readonly origin: string
}

/** The instances by first path segment, as `{ orders: [{ name: 'orders-1', … }] }`. */
export type Routes = Readonly<Record<string, readonly UpstreamAddress[]>>

export interface UpstreamTimeouts {
  readonly connectTimeoutMs: number
  /** From the last byte of the request to the response's headers. */
  readonly headersTimeoutMs: number
  /** Between two chunks of the response's body. */
  readonly bodyTimeoutMs: number
}

/** Failed checks until an instance counts as unhealthy. A busy instance may miss one. */
const maxMissedChecks = 2
const checkTimeoutMs = 2_000
const connectionsPerUpstream = 128

/** One instance, its connections and its health. */
export class Upstream {
  readonly name: string
  readonly origin: string
  readonly pool: Pool
  healthy = true
  #inFlight = 0
  #missedChecks = 0
  #idle: (() => void) | undefined

  constructor({ name, origin }: UpstreamAddress, timeouts: UpstreamTimeouts) {
    this.name = name
    this.origin = origin
    this.pool = new Pool(origin, {
      connections: connectionsPerUpstream,
      connect: { timeout: timeouts.connectTimeoutMs },
      headersTimeout: timeouts.headersTimeoutMs,
      bodyTimeout: timeouts.bodyTimeoutMs,
      keepAliveMaxTimeout: 60_000,
    })
  }

  /** Counts a request in flight. Call the returned function when the request has ended. */
  begin(): () => void {
    this.#inFlight += 1
    return () => {
      this.#inFlight -= 1
      if (this.#inFlight === 0) this.#idle?.()
    }
  }

  /**
   * Checks `/livez`. Not `/readyz`: without Postgres no instance is ready, and verification must
   * keep working.
   */
  async check(): Promise<void> {
    try {
      const { statusCode, body } = await this.pool.request({
        path: '/livez',
        method: 'GET',
        signal: AbortSignal.timeout(checkTimeoutMs),
      })
      await body.dump()
      if (statusCode !== 200) throw new Error(`/livez answered ${statusCode}`)
      this.#missedChecks = 0
      this.healthy = true
    } catch {
      this.#missedChecks += 1
      if (this.#missedChecks >= maxMissedChecks) this.healthy = false
    }
  }

  /** Handles a failed attempt: a refused connection marks it unhealthy, any other failure triggers a check. */
  async reportFailure(err: Error & { code?: string }): Promise<void> {
    if (err.code === 'ECONNREFUSED') this.healthy = false
    else await this.check()
  }

  /** Waits until no request is in flight, at most `timeoutMs`, then closes the connections. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs)
        this.#idle = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    await this.pool.destroy()
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
    return (
      this.#findNext((member) => member.healthy && !tried.has(member)) ??
      this.#findNext((member) => !tried.has(member))
    )
  }

  #findNext(isWanted: (member: Upstream) => boolean): Upstream | undefined {
    const { length } = this.members
    for (let step = 0; step < length; step++) {
      const at = (this.#turn + step) % length
      const member = this.members[at]
      if (member && isWanted(member)) {
        this.#turn = at + 1
        return member
      }
    }
    return undefined
  }
}
