import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { createDatabase } from '@latchkey/test-kit'
import { Client } from 'pg'
import type { Test } from 'tap'
import { database } from '../src/database.ts'
import { createServer } from '../src/server.ts'

/** A folder that is removed with the test. */
export function createFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-kit-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A folder with one migration, which creates the table `things`. */
export function createMigrations(t: Test): URL {
  const folder = createFolder(t)
  writeMigration(folder, '001_things', 'CREATE TABLE things (id int)')
  return pathToFileURL(`${folder}/`)
}

export function writeMigration(folder: string | URL, name: string, statement: string): void {
  const file = folder instanceof URL ? new URL(`${name}.sql`, folder) : join(folder, `${name}.sql`)
  writeFileSync(file, `-- Up Migration\n${statement};\n`)
}

/** Runs statements on one connection. */
export async function execute(connectionString: string, ...statements: string[]): Promise<void> {
  const client = new Client({ connectionString })
  await client.connect()
  for (const statement of statements) await client.query(statement)
  await client.end()
}

/** Creates a role, and removes it with the test. @returns its name, and its URL */
export async function createRole(t: Test, admin: string) {
  const name = `role_${new URL(admin).pathname.slice(1)}`
  const urlWith = (password: string) =>
    Object.assign(new URL(admin), { username: name, password }).href
  await execute(admin, `CREATE ROLE ${name} LOGIN PASSWORD 'one'`)
  t.teardown(() => execute(admin, `DROP OWNED BY ${name}`, `DROP ROLE ${name}`))
  return { name, url: urlWith('one'), urlWith }
}

/** Ends the connections of everybody else. */
export const cutConnections = `
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity
   WHERE datname = current_database() AND pid <> pg_backend_pid()`

/** Resolves when a condition is true. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20)
}

/** A server with a database and the routes `GET /things` and `POST /things`, and its warnings. */
export async function startWithDatabase(t: Test, overrides: Partial<DatabaseConfig> = {}) {
  const LATCHKEY_DATABASE_URL = overrides.LATCHKEY_DATABASE_URL ?? (await createDatabase(t))
  const config = {
    LATCHKEY_INSTANCE: 'test-1',
    LATCHKEY_ISSUER: 'https://sso.test',
    LATCHKEY_LOG_LEVEL: 'silent',
    LATCHKEY_DATABASE_POOL_MAX: 3,
    ...overrides,
    LATCHKEY_DATABASE_URL,
  } as const
  const app = createServer({ name: 'test', config })
  t.teardown(() => app.close())
  const lines = { warn: t.capture(app.log, 'warn'), info: t.capture(app.log, 'info') }
  const migrations = overrides.migrations ?? createMigrations(t)
  await app.register(database, { config, migrations, hasPipeline: overrides.hasPipeline })
  app.get('/things', async () => (await app.db.query('SELECT * FROM things')).rows)
  app.post('/things', async () => (await app.db.query('INSERT INTO things VALUES (1)')).rowCount)
  await app.ready()
  return { app, url: LATCHKEY_DATABASE_URL, migrations, warnings: collect(lines.warn), lines }
}

interface DatabaseConfig {
  LATCHKEY_DATABASE_URL: string
  LATCHKEY_DATABASE_URL_FILE: string
  LATCHKEY_DATABASE_POOLER: 'none' | 'transaction'
  LATCHKEY_DATABASE_POOL_MAX: number
  LATCHKEY_MIGRATE_ON_START: boolean
  migrations: URL
  hasPipeline: boolean
}

/** The log lines so far, as `[members, message]`. */
function collect(captured: () => { args: unknown[] }[]) {
  // biome-ignore lint/suspicious/noExplicitAny: the assertions check its shape
  const lines: any[][] = []
  return () => {
    lines.push(...captured().map(({ args }) => args))
    return lines
  }
}
