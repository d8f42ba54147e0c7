import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { FastifyBaseLogger } from 'fastify'
import { ConfigError } from './config.ts'
import { createClientClass } from './database-client.ts'
import { isDatabaseUnavailable } from './database-errors.ts'
import { readSchemaState, type SchemaState } from './schema-state.ts'

/** Pause between attempts to reach a database that is unavailable at start, in milliseconds. */
const retryMs = 1_000

/**
 * Brings the schema up to date. Concurrent runs wait for each other (advisory lock). Everything,
 * including the list of migrations, is in the first schema of the role's search_path.
 *
 * @returns the names of the migrations run; empty when the schema was up to date
 * @throws ConfigError when the role may not create tables
 */
export async function migrate(readUrl: () => string, folder: URL): Promise<string[]> {
  const client = new (createClientClass({ readUrl }))({ connectionTimeoutMillis: 10_000 })
  // Without a listener, a connection lost between two statements would end the process.
  client.on('error', () => {})
  await client.connect()
  try {
    const state = await readSchemaState(client, folder)
    if (state.pending.length === 0) return []
    const { runner } = await import('node-pg-migrate')
    const run = await runner({
      dbClient: client,
      dir: fileURLToPath(folder),
      direction: 'up',
      migrationsTable: 'migrations',
      migrationsSchema: schemaToMigrate(state),
      advisoryLockMode: 'wait',
      logger: { info: () => {}, warn: () => {}, error: () => {} },
    })
    return run.map(({ name }) => name)
  } finally {
    await client.end().catch(() => {})
  }
}

function schemaToMigrate({ schema, role, mayCreate }: SchemaState): string {
  if (schema === null) {
    throw new ConfigError(
      `no schema in the search_path of the database role "${role}" exists, or the role may not ` +
        'use it; create it, and GRANT USAGE, CREATE on it',
    )
  }
  if (mayCreate) return schema
  throw new ConfigError(
    `the database role "${role}" may not create tables in schema "${schema}"; as the schema's ` +
      `owner run GRANT CREATE ON SCHEMA ${schema} TO ${role}, or run \`main.ts migrate\` with ` +
      'another role',
  )
}

/**
 * Migrates now or, while the database is unavailable, as soon as it is reachable.
 *
 * @returns `firstTry`, which rejects when a migration itself fails, and `done`, after the last
 *   attempt
 */
export function migrateOnceReachable(
  readUrl: () => string,
  folder: URL,
  log: FastifyBaseLogger,
  stopping: AbortSignal,
): { firstTry: Promise<unknown>; done: Promise<unknown> } {
  const retry = async (err: unknown): Promise<unknown> => {
    if (stopping.aborted || !isDatabaseUnavailable(err)) throw err
    await sleep(retryMs, undefined, { signal: stopping, ref: false })
    return migrate(readUrl, folder).catch(retry)
  }
  const first = migrate(readUrl, folder)
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
