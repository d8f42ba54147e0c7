import type { FastifyBaseLogger } from 'fastify'
import { Pool, type PoolConfig } from 'pg'
import { createClientClass } from './database-client.ts'
import { isReadOnlyServer } from './database-errors.ts'
import { pipelineLockTimeoutMs } from './pipeline.ts'
import type { ServiceConfig } from './settings.ts'

/**
 * Longest wait for a connection, in milliseconds: an unreachable server must not block for long.
 */
const connectionTimeoutMs = 2_000
/**
 * Longest time of a statement, in milliseconds. After half a second more, a commit that waits for a
 * standby is cancelled; after another half, the client gives up.
 */
const statementTimeoutMs = 4_000

interface PoolsOptions {
  config: Pick<
    ServiceConfig,
    'LATCHKEY_DATABASE_POOL_MAX' | 'LATCHKEY_DATABASE_POOLER' | 'LATCHKEY_INSTANCE'
  >
  /** Read for every new connection. */
  readUrl: () => string
  hasPipeline: boolean
  log: FastifyBaseLogger
}

/**
 * Creates the pools of a service, whose every wait is bounded.
 *
 * @returns `single` is the connection of the pipeline. It does not exist behind a pooler, where a
 *   connection cannot have a lock time-out, nor if the service may open one connection only.
 */
export function createPools({ config, readUrl, hasPipeline, log }: PoolsOptions) {
  const max = config.LATCHKEY_DATABASE_POOL_MAX
  const isPooled = config.LATCHKEY_DATABASE_POOLER === 'transaction'
  const isPipelined = hasPipeline && !isPooled && max > 1
  const options: PoolConfig = {
    application_name: config.LATCHKEY_INSTANCE,
    connectionTimeoutMillis: connectionTimeoutMs,
    query_timeout: statementTimeoutMs + 1_000,
    keepAlive: true,
    ...(!isPooled && {
      statement_timeout: statementTimeoutMs,
      // An instance that dies inside a transaction must not keep its locks.
      idle_in_transaction_session_timeout: statementTimeoutMs,
    }),
  }
  const cancelAfterMs = statementTimeoutMs + 500
  const db = createPool(log, {
    ...options,
    Client: createClientClass({ readUrl, unnamed: isPooled, cancelAfterMs }),
    max: isPipelined ? max - 1 : max,
  })
  if (!isPipelined) return { db }
  const single = createPool(log, {
    ...options,
    Client: createClientClass({ readUrl }),
    max: 1,
    pipeline: true,
    lock_timeout: pipelineLockTimeoutMs,
  })
  return { db, single }
}

function createPool(log: FastifyBaseLogger, options: PoolConfig): Pool {
  const pool = new Pool(options)
  // Without these listeners a lost connection would end the process. The pool removes its own
  // listener from a client that is in use, so each client needs another one.
  pool.on('error', (err) => log.warn({ err }, 'idle database connection lost'))
  pool.on('connect', (client) => {
    client.on('error', (err) => log.warn({ err }, 'database connection lost'))
  })
  pool.on('release', (err) => leaveReadOnlyServer(pool, err))
  return pool
}

/**
 * Closes the idle connections when their server has become read-only: after a failover, new ones
 * lead to the promoted server. The pool itself closes only the connection that failed.
 */
export function leaveReadOnlyServer(pool: Pool, err: unknown): void {
  if (!isReadOnlyServer(err)) return
  for (let idle = pool.idleCount; idle > 0; idle -= 1) {
    pool.connect().then(
      (client) => client.release(true),
      () => {},
    )
  }
}
