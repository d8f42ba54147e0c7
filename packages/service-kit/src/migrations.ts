import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { FastifyBaseLogger } from 'fastify'
import { isDatabaseUnavailable } from './database-errors.ts'

/** Pause between attempts to reach a database that is unavailable at start, in milliseconds. */
const retryMs = 1_000

/**
 * Brings the schema up to date. Concurrent runs wait for each other (advisory lock).
 *
 * @returns the names of the migrations run; empty when the schema was up to date
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

/**
 * Migrates now or, while the database is unavailable, as soon as it is reachable.
 *
 * @returns `firstTry`, which rejects when a migration itself fails, and `done`, after the last
 *   attempt
 */
export function migrateOnceReachable(
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
    if (!stopping.aborted) log.error({ err }, 'database migration failed')
  })
  const firstTry = first.catch((err) => {
    if (!isDatabaseUnavailable(err)) throw err
    log.warn({ err }, 'database unavailable; starting without it and retrying')
  })
  return { firstTry, done }
}
