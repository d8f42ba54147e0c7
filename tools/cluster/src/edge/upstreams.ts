import { Pool } from 'undici'

/** Where one instance of a service answers. */
export interface UpstreamAddress {
  readonly name: string
  readonly origin: string
}

/** Which instances serve which first path segment, as `{ orders: [{ name: 'orders-1', … }] }`. */
export type Routes = Readonly<Record<string, readonly UpstreamAddress[]>>

/** How long the edge waits for its upstreams, in milliseconds. */
export interface UpstreamTimeouts {
  readonly connectTimeoutMs: number
  /** From the request's last byte to the response's head. */
  readonly headersTimeoutMs: number
  /** Between two pieces of a response's body. */
  readonly bodyTimeoutMs: number
}

/** A frozen instance misses this many checks before it is taken out; a busy one misses one. */
const checksUntilOut = 2
const checkTimeoutMs = 2_000
const connectionsPerUpstream = 128

/** One instance, its connections, and whether it is worth trying. */
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

  /** Counts one request; call what it returns when the request has ended. */
  begin(): () => void {
    this.#inFlight += 1
    return () => {
      this.#inFlight -= 1
      if (this.#inFlight === 0) this.#idle?.()
    }
  }

  /**
   * Asks `/livez`. Liveness, not readiness, decides: with Postgres away no instance is ready, and
   * verification must go on.
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
      if (this.#missedChecks >= checksUntilOut) this.healthy = false
    }
  }

  /** Takes note of a failed attempt: a refused connection counts at once, anything else is looked into. */
  async lost(err: Error & { code?: string }): Promise<void> {
    if (err.code === 'ECONNREFUSED') this.healthy = false
    else await this.check()
  }

  /** Resolves when no request is in its hands any more, or after `timeoutMs`; then its connections close. */
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

/** The instances of one service, taken in turn. */
export class UpstreamGroup {
  members: readonly Upstream[] = []
  #turn = 0

  /**
   * The next instance in turn that was not tried yet, healthy ones first. When all look dead each is
   * tried all the same: the checks may be what is wrong.
   */
  next(tried: ReadonlySet<Upstream>): Upstream | undefined {
    return (
      this.#take((member) => member.healthy && !tried.has(member)) ??
      this.#take((member) => !tried.has(member))
    )
  }

  #take(wanted: (member: Upstream) => boolean): Upstream | undefined {
    const { length } = this.members
    for (let step = 0; step < length; step++) {
      const at = (this.#turn + step) % length
      const member = this.members[at]
      if (member && wanted(member)) {
        this.#turn = at + 1
        return member
      }
    }
    return undefined
  }
}
