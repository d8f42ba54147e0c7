import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { FastifyBaseLogger } from 'fastify'
import fp from 'fastify-plugin'
import { Client, DatabaseError, Pool, type PoolClient, type PoolConfig } from 'pg'
import { Gauge } from 'prom-client'
import { ConfigError } from './config.ts'

/** What a store needs of the database: the pool, or one connection of it. */
export type Queryable = Pick<Pool, 'query'>

/** How a service reaches its database. */
export interface DatabaseOptions {
  /** PostgreSQL connection URI. */
  connectionString: string
  /** Name of this instance, seen in `pg_stat_activity`. */
  instance: string
  /** Connections held at most. */
  max: number
  /** Folder of plain SQL migrations. */
  migrations: URL
  /** Whether to run them before the first query; default true. */
  migrateOnStart?: boolean | undefined
  /** A pooler in between, as `LATCHKEY_DATABASE_POOLER` says; default none. */
  pooler?: 'none' | 'transaction' | undefined
}

declare module 'fastify' {
  interface FastifyInstance {
    /** This service's own database. */
    db: Pool
  }
}

/** Waiting for a connection, in milliseconds: long enough for a busy pool, short for a dead server. */
const connectionTimeoutMs = 2_000
/** One statement, in milliseconds; the client gives up a little later than the server should. */
const statementTimeoutMs = 4_000

const migrateElsewhere =
  'LATCHKEY_MIGRATE_ON_START must be false with LATCHKEY_DATABASE_POOLER=transaction, through which the lock of ' +
  'the migrations does not hold; run `main.ts migrate` with the server’s own LATCHKEY_DATABASE_URL'

/** Prepares nothing: the next transaction may be on another connection of the pooler's. */
class UnnamedClient extends Client {
  // biome-ignore lint/suspicious/noExplicitAny: one of many overloads, all passed on
  override query(...[config, ...rest]: any[]): any {
    const named = typeof config === 'object' && config !== null && 'name' in config
    return super.query(named ? { ...config, name: undefined } : config, ...rest)
  }
}

/** Decorates `app.db` with a pool whose every wait is bounded, and runs the migrations. */
export const database = fp<DatabaseOptions>(
  async (app, { connectionString, instance, max, migrations, migrateOnStart = true, pooler }) => {
    if (pooler === 'transaction' && migrateOnStart) throw new ConfigError(migrateElsewhere)
    const config: PoolConfig = {
      connectionString,
      application_name: instance,
      max,
      connectionTimeoutMillis: connectionTimeoutMs,
      query_timeout: statementTimeoutMs + 1_000,
      keepAlive: true,
      ...(pooler === 'transaction'
        ? { Client: UnnamedClient }
        : {
            statement_timeout: statementTimeoutMs,
            // An instance that stops in the midst of a transaction must not keep its locks.
            idle_in_transaction_session_timeout: statementTimeoutMs,
          }),
    }
    const stopping = new AbortController()
    const migrated = migrateOnStart
      ? migrateOnceReachable(connectionString, migrations, app.log, stopping.signal)
      : { firstTry: undefined, done: Promise.resolve() }
    const pool = new Pool(config)
    // An idle client that loses its server emits here; without a listener the process would exit.
    pool.on('error', (err) => app.log.warn({ err }, 'an idle database connection was lost'))
    // The same holds for one that is lent to a transaction, of which the pool takes its listener off.
    pool.on('connect', (client) => {
      client.on('error', (err) => app.log.warn({ err }, 'a database connection was lost'))
    })
    app.decorate('db', pool)
    new Gauge({
      name: 'latchkey_database_connections',
      help: 'Database connections in use and idle, and requests waiting for one',
      labelNames: ['state'] as const,
      registers: [app.metrics],
      collect() {
        this.set({ state: 'used' }, pool.totalCount - pool.idleCount)
        this.set({ state: 'idle' }, pool.idleCount)
        this.set({ state: 'waiting' }, pool.waitingCount)
      },
    })
    migrated.done.then(() => warnOfConnections(pool, max, app.log)).catch(() => {})
    app.readiness.add('database', async () => {
      await migrated.done
      await pool.query('SELECT 1')
    })
    app.addHook('onClose', async () => {
      stopping.abort()
      await pool.end()
    })
    // A service that verifies tokens is of use while its database is away, so it starts without.
    await migrated.firstTry
  },
  { name: 'database', fastify: '5.x' },
)

/** Says so when the pool may grow beyond what the server has left for it. */
async function warnOfConnections(db: Pool, max: number, log: FastifyBaseLogger): Promise<void> {
  const { rows } = await db.query<{ limit: number; used: number }>(`
    SELECT (SELECT sum(CASE name WHEN 'max_connections' THEN setting::int ELSE -setting::int END)
              FROM pg_settings
             WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
           )::int AS limit,
           (SELECT count(*) FROM pg_stat_activity
             WHERE datid IS NOT NULL AND pid <> pg_backend_pid())::int AS used`)
  const { limit = max, used = 0 } = rows[0] ?? {}
  if (max <= limit - used) return
  log.warn(
    { max, limit, used },
    `LATCHKEY_DATABASE_POOL_MAX lets this instance open ${max} connections, but of the server's ${limit} only ${limit - used} are left; lower it, or raise max_connections`,
  )
}

/** How long to wait between tries to reach a database that is away at start-up, in milliseconds. */
const retryMs = 1_000

/**
 * Migrates now or, while the database is away, as soon as it can be reached.
 *
 * @returns `firstTry`, which rejects when a migration is at fault, and `done`, after the last
 */
function migrateOnceReachable(
  databaseUrl: string,
  folder: URL,
  log: FastifyBaseLogger,
  stopping: AbortSignal,
): { firstTry: Promise<unknown>; done: Promise<unknown> } {
  const retry = async (err: unknown): Promise<unknown> => {
    if (stopping.aborted || !isDatabaseUnavailable(err)) throw err
    await sleep(retryMs, undefined, { signal: stopping, ref: false })
    return migrate(databaseUrl, folder).catch(retry)
  }
  const first = migrate(databaseUrl, folder)
  const done = first.catch(retry)
  done.catch((err) => {
    if (!stopping.aborted) log.error({ err }, 'the database could not be migrated')
  })
  const firstTry = first.catch((err) => {
    if (!isDatabaseUnavailable(err)) throw err
    log.warn({ err }, 'the database is away; starting without, and trying on')
  })
  return { firstTry, done }
}

/**
 * Brings the schema up to date. Who comes second waits for the first (advisory lock).
 *
 * @returns the names of the migrations run, none when there was nothing to do
 */
export async function migrate(databaseUrl: string, folder: URL): Promise<string[]> {
  const { runner } = await import('node-pg-migrate')
  const run = await runner({
    databaseUrl: { connectionString: databaseUrl, connectionTimeoutMillis: 10_000 },
    dir: fileURLToPath(folder),
    direction: 'up',
    migrationsTable: 'migrations',
    advisoryLockMode: 'wait',
    logger: { info: () => {}, warn: () => {}, error: () => {} },
  })
  return run.map(({ name }) => name)
}

/** Runs statements as one transaction: all of them happen, or, when one throws, none. */
export async function inTransaction<T>(
  db: Pool,
  work: (transaction: PoolClient) => Promise<T>,
): Promise<T> {
  const client = await db.connect()
  try {
    await client.query('BEGIN')
    const result = await work(client)
    await client.query('COMMIT')
    client.release()
    return result
  } catch (err) {
    // A connection in an unknown state is not used again; closing it rolls back.
    client.release(true)
    throw err
  }
}

/** Errors of the socket, not of the statement. */
const socketErrors = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

/** Messages of `pg` and `pg-pool` for a lost or slow server; they carry no code. */
const driverMessages =
  /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error)/

/** SQLSTATEs that say the server cannot serve now: connection, resources, shutdown, time-out, deadlock. */
const unavailableStates = /^(08|53|57P|57014|58|25P03|40P01)/

/** Whether an error says that the database is away, full or too slow, rather than that we asked wrongly. */
export function isDatabaseUnavailable(err: unknown): boolean {
  if (err instanceof DatabaseError) return unavailableStates.test(err.code ?? '')
  if (!(err instanceof Error)) return false
  if (err instanceof AggregateError) return err.errors.some(isDatabaseUnavailable)
  const { code } = err as NodeJS.ErrnoException
  return (code !== undefined && socketErrors.has(code)) || driverMessages.test(err.message)
}
