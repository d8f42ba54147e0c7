import type { FastifyBaseLogger } from 'fastify'
import fp from 'fastify-plugin'
import type { Pool, PoolClient } from 'pg'
import { Gauge, type Registry } from 'prom-client'
import { ConfigError } from './config.ts'
import { countConnections } from './connections.ts'
import { createUrlReader, type DatabaseUrlConfig } from './database-url.ts'
import { createDurableWrites, type DurableWrites } from './durable-writes.ts'
import { migrateOnceReachable } from './migrations.ts'
import { createPipeline } from './pipeline.ts'
import { createPools, leaveReadOnlyServer } from './pools.ts'
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
  /** Whether one of the connections is for `app.pipeline`. */
  hasPipeline?: boolean | undefined
}

declare module 'fastify' {
  interface FastifyInstance {
    /** This service's own database. */
    db: Pool
    /** Runs a write that must survive a failover. Its commit waits for a synchronous standby. */
    durably: DurableWrites
    /**
     * For frequent short statements that wait for nothing, `{ name, text, values }`. Without a
     * connection of its own, the same as `db`.
     */
    pipeline: Queryable
  }
}

const migrateElsewhere =
  'LATCHKEY_MIGRATE_ON_START must be false with LATCHKEY_DATABASE_POOLER=transaction, because migrations use a lock ' +
  'that does not work through a pooler; run `main.ts migrate` with a LATCHKEY_DATABASE_URL ' +
  'that bypasses the pooler'

/** Decorates `app.db` with a pool whose every wait is bounded, and runs the migrations. */
export const database = fp<DatabaseOptions>(
  async (app, { config, migrations, hasPipeline = false }) => {
    const { LATCHKEY_DATABASE_POOL_MAX: max, LATCHKEY_MIGRATE_ON_START = true } = config
    const isPooled = config.LATCHKEY_DATABASE_POOLER === 'transaction'
    if (isPooled && LATCHKEY_MIGRATE_ON_START) throw new ConfigError(migrateElsewhere)
    const readUrl = createUrlReader(config, app.log)
    const stopping = new AbortController()
    const migrated = LATCHKEY_MIGRATE_ON_START
      ? migrateOnceReachable(readUrl, migrations, app.log, stopping.signal)
      : { firstTry: undefined, done: Promise.resolve() }
    const { db, single } = createPools({ config, readUrl, hasPipeline, log: app.log })
    const pools = single ? [db, single] : [db]
    app.decorate('db', db)
    app.decorate('durably', createDurableWrites(db.options.max, app.log))
    app.decorate('pipeline', single ? createPipeline(single, db) : db)
    exposeConnections(pools, app.metrics)
    migrated.done.then(() => warnOfPoolSize(db, max, app.log)).catch(() => {})
    app.readiness.add('database', () =>
      assertSchemaIsCurrent(db, migrations).catch((err) => {
        leaveReadOnlyServer(db, err)
        throw err
      }),
    )
    app.addHook('onClose', async () => {
      stopping.abort()
      await Promise.all(pools.map((pool) => pool.end()))
    })
    // A service that verifies tokens is useful without its database, so it starts without one.
    await migrated.firstTry
  },
  { name: 'database', fastify: '5.x' },
)

function exposeConnections(pools: readonly Pool[], registry: Registry): void {
  const sum = (countOf: (pool: Pool) => number) =>
    pools.map(countOf).reduce((total, count) => total + count)
  new Gauge({
    name: 'latchkey_database_connections',
    help: 'Database connections in use and idle, and requests waiting for one',
    labelNames: ['state'] as const,
    registers: [registry],
    collect() {
      this.set(
        { state: 'used' },
        sum((pool) => pool.totalCount - pool.idleCount),
      )
      this.set(
        { state: 'idle' },
        sum((pool) => pool.idleCount),
      )
      this.set(
        { state: 'waiting' },
        sum((pool) => pool.waitingCount),
      )
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
