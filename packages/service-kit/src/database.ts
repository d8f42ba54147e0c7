import type { FastifyBaseLogger } from 'fastify'
import fp from 'fastify-plugin'
import { Pool, type PoolClient } from 'pg'
import { Gauge, type Registry } from 'prom-client'
import { ConfigError } from './config.ts'
import { countConnections } from './connections.ts'
import { createClientClass } from './database-client.ts'
import { isReadOnlyServer } from './database-errors.ts'
import { createUrlReader, type DatabaseUrlConfig } from './database-url.ts'
import { createDurableWrites, type DurableWrites } from './durable-writes.ts'
import { migrateOnceReachable } from './migrations.ts'
import { assertSchemaIsCurrent } from './schema-state.ts'
import type { ServiceConfig } from './settings.ts'

/** What a store needs of the database: the pool, or the client of a transaction. */
export type Queryable = Pick<Pool, 'query'>

/** The database inside `inTransaction`: its statements are committed together. */
export type Transaction = PoolClient

interface DatabaseOptions {
  config: DatabaseUrlConfig &
    Pick<
      ServiceConfig,
      | 'LATCHKEY_DATABASE_POOL_MAX'
      | 'LATCHKEY_DATABASE_POOLER'
      | 'LATCHKEY_INSTANCE'
      | 'LATCHKEY_MIGRATE_ON_START'
    >
  /** Folder of plain SQL migrations. */
  migrations: URL
}

declare module 'fastify' {
  interface FastifyInstance {
    /** This service's own database. */
    db: Pool
    /** Runs a write that must survive a failover. Its commit waits for a synchronous standby. */
    durably: DurableWrites
  }
}

/**
 * Longest wait for a connection, in milliseconds: an unreachable server must not block for long.
 */
const connectionTimeoutMs = 2_000
/**
 * Longest time of a statement, in milliseconds. After half a second more, a commit that waits for a
 * standby is cancelled; after another half, the client gives up.
 */
const statementTimeoutMs = 4_000

const migrateElsewhere =
  'LATCHKEY_MIGRATE_ON_START must be false with LATCHKEY_DATABASE_POOLER=transaction, because migrations use a lock ' +
  'that does not work through a pooler; run `main.ts migrate` with a LATCHKEY_DATABASE_URL ' +
  'that bypasses the pooler'

/** Decorates `app.db` with a pool whose every wait is bounded, and runs the migrations. */
export const database = fp<DatabaseOptions>(
  async (app, { config, migrations }) => {
    const { LATCHKEY_DATABASE_POOL_MAX: max, LATCHKEY_MIGRATE_ON_START = true } = config
    const pooled = config.LATCHKEY_DATABASE_POOLER === 'transaction'
    if (pooled && LATCHKEY_MIGRATE_ON_START) throw new ConfigError(migrateElsewhere)
    const readUrl = createUrlReader(config, app.log)
    const stopping = new AbortController()
    const migrated = LATCHKEY_MIGRATE_ON_START
      ? migrateOnceReachable(readUrl, migrations, app.log, stopping.signal)
      : { firstTry: undefined, done: Promise.resolve() }
    const pool = new Pool({
      Client: createClientClass({
        readUrl,
        unnamed: pooled,
        cancelAfterMs: statementTimeoutMs + 500,
      }),
      application_name: config.LATCHKEY_INSTANCE,
      max,
      connectionTimeoutMillis: connectionTimeoutMs,
      query_timeout: statementTimeoutMs + 1_000,
      keepAlive: true,
      ...(!pooled && {
        statement_timeout: statementTimeoutMs,
        // An instance that dies inside a transaction must not keep its locks.
        idle_in_transaction_session_timeout: statementTimeoutMs,
      }),
    })
    // Without these listeners a lost connection would end the process. The pool removes its own
    // listener from a client that is in use, so each client needs another one.
    pool.on('error', (err) => app.log.warn({ err }, 'idle database connection lost'))
    pool.on('connect', (client) => {
      client.on('error', (err) => app.log.warn({ err }, 'database connection lost'))
    })
    pool.on('release', (err) => leaveReadOnlyServer(pool, err))
    app.decorate('db', pool)
    app.decorate('durably', createDurableWrites(max, app.log))
    exposeConnections(pool, app.metrics)
    migrated.done.then(() => warnOfPoolSize(pool, max, app.log)).catch(() => {})
    app.readiness.add('database', () =>
      assertSchemaIsCurrent(pool, migrations).catch((err) => {
        leaveReadOnlyServer(pool, err)
        throw err
      }),
    )
    app.addHook('onClose', async () => {
      stopping.abort()
      await pool.end()
    })
    // A service that verifies tokens is useful without its database, so it starts without one.
    await migrated.firstTry
  },
  { name: 'database', fastify: '5.x' },
)

/**
 * Closes the idle connections when their server has become read-only: after a failover, new ones
 * lead to the promoted server. The pool itself closes only the connection that failed.
 */
function leaveReadOnlyServer(pool: Pool, err: unknown): void {
  if (!isReadOnlyServer(err)) return
  for (let idle = pool.idleCount; idle > 0; idle -= 1) {
    pool.connect().then(
      (client) => client.release(true),
      () => {},
    )
  }
}

function exposeConnections(pool: Pool, registry: Registry): void {
  new Gauge({
    name: 'latchkey_database_connections',
    help: 'Database connections in use and idle, and requests waiting for one',
    labelNames: ['state'] as const,
    registers: [registry],
    collect() {
      this.set({ state: 'used' }, pool.totalCount - pool.idleCount)
      this.set({ state: 'idle' }, pool.idleCount)
      this.set({ state: 'waiting' }, pool.waitingCount)
    },
  })
}

/** Logs a warning when the server has fewer connections left than the pool may open. */
async function warnOfPoolSize(db: Pool, max: number, log: FastifyBaseLogger): Promise<void> {
  const { limit, used } = await countConnections(db)
  if (max <= limit - used) return
  log.warn(
    { max, limit, used },
    `LATCHKEY_DATABASE_POOL_MAX allows ${max} connections, but only ${limit - used} of the ` +
      `server's ${limit} connections are free; lower the setting, or raise max_connections`,
  )
}

/** Runs `work` in one transaction, which is rolled back when it throws. */
export async function inTransaction<T>(
  db: Pool,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  const client = await db.connect()
  try {
    await client.query('BEGIN')
    const result = await work(client)
    await client.query('COMMIT')
    client.release()
    return result
  } catch (err) {
    // Closing the connection rolls back; one in an unknown state must not be reused.
    client.release(err instanceof Error ? err : true)
    throw err
  }
}
