import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
} from 'cockatiel'
import type { FastifyBaseLogger } from 'fastify'
import { UnconfirmedCommitError } from './database-errors.ts'
import { Overloaded } from './overload.ts'
import { ProblemError } from './problem.ts'

/** Runs a write whose commit waits for a synchronous standby, if the server has one. */
export type DurableWrites = <T>(work: () => Promise<T>) => Promise<T>

/** Commits in a row that no standby confirms, before writes are refused. */
const maxUnconfirmed = 3
/** How long they are refused, in milliseconds. Then one of them tries. */
const refusalMs = 3_000
/** Writes that may wait for one of the connections, and for how long, in milliseconds. */
const queueLength = 100
const maxQueuedMs = 2_000

/**
 * Keeps writes that wait for a standby from occupying all connections: they may use half of them,
 * and while no standby confirms they are refused immediately. Reads and refreshes, which wait for
 * no standby, continue.
 */
export function createDurableWrites(maxConnections: number, log: FastifyBaseLogger): DurableWrites {
  const limit = bulkhead(Math.ceil(maxConnections / 2), queueLength)
  // The write that tries proves nothing by another error.
  const isFailure = (err: unknown): boolean =>
    err instanceof UnconfirmedCommitError || breaker.state === CircuitState.HalfOpen
  const breaker = circuitBreaker(handleWhen(isFailure), {
    halfOpenAfter: refusalMs,
    breaker: new ConsecutiveBreaker(maxUnconfirmed),
  })
  breaker.onBreak(() =>
    log.error(
      'no synchronous standby confirms commits; refusing durable writes for 3 s: check the standby and synchronous_standby_names',
    ),
  )
  breaker.onReset(() => log.info('a synchronous standby confirms commits again'))
  return async (work) => {
    const queuedAt = performance.now()
    try {
      return await limit.execute(() => {
        if (performance.now() - queuedAt > maxQueuedMs) throw new Overloaded()
        // One write tries whether a standby confirms; the others do not wait for the result.
        if (breaker.state === CircuitState.HalfOpen) throw refused()
        return breaker.execute(work)
      })
    } catch (err) {
      if (err instanceof BrokenCircuitError) throw refused()
      if (err instanceof BulkheadRejectedError) throw new Overloaded()
      throw err
    }
  }
}

const refused = () =>
  new ProblemError(
    503,
    'database_unavailable',
    'No standby of the database confirms changes. Try again shortly.',
    { 'retry-after': String(refusalMs / 1_000) },
  )
