import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createDatabase } from '@latchkey/test-kit'
import { Client } from 'pg'
import t, { type Test } from 'tap'

const kit = pathToFileURL(join(import.meta.dirname, '../src/index.ts')).href

/** A service of one table, and a way to run it as a process until it ends. */
function createService(t: Test) {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-migrate-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'migrations'))
  writeFileSync(
    join(folder, 'migrations/001_things.sql'),
    '-- Up Migration\nCREATE TABLE things (id int);\n',
  )
  const main = join(folder, 'main.ts')
  writeFileSync(
    main,
    `import { createServer, database, runService, serviceSettings } from '${kit}'
    const migrations = new URL('./migrations/', import.meta.url)
    const settings = { type: 'object', properties: serviceSettings, required: ['LATCHKEY_ISSUER'] }
    const build = async (config) => {
      const app = createServer({ name: 'things', config })
      await app.register(database, {
        connectionString: config.LATCHKEY_DATABASE_URL, instance: 'things', max: 1, migrations,
        migrateOnStart: config.LATCHKEY_MIGRATE_ON_START,
      })
      return app
    }
    await runService({ name: 'things', settings, migrations, build })`,
  )
  return (args: string[], env: NodeJS.ProcessEnv) => {
    const child = spawn(process.execPath, [main, ...args], { env })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
    const exited = once(child, 'close').then(([code]) => code as number | null)
    return { child, exited, output: () => output }
  }
}

async function tables(connectionString: string): Promise<string[]> {
  const client = new Client({ connectionString })
  await client.connect()
  const { rows } = await client.query(
    `SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename`,
  )
  await client.end()
  return rows.map(({ tablename }) => tablename)
}

t.test('as a step of its own, migrating needs the database alone and is done once', async (t) => {
  const run = createService(t)
  const LATCHKEY_DATABASE_URL = await createDatabase(t)
  const both = [1, 2].map(() => run(['migrate'], { LATCHKEY_DATABASE_URL }))
  t.strictSame(await Promise.all(both.map(({ exited }) => exited)), [0, 0])
  t.strictSame(both.map(({ output }) => output()).sort(), [
    'things: migrated: 001_things\n',
    'things: nothing to migrate\n',
  ])
  t.strictSame(await tables(LATCHKEY_DATABASE_URL), ['migrations', 'things'])
})

t.test('a database that is away ends the step with one sentence', async (t) => {
  const run = createService(t)
  const step = run(['migrate'], { LATCHKEY_DATABASE_URL: 'postgres://latchkey@127.0.0.1:1/none' })
  t.equal(await step.exited, 1)
  t.equal(step.output(), 'things cannot start: the database cannot be reached (ECONNREFUSED)\n')
})

t.test('a service told not to migrate changes nothing at start, and stops with 0', async (t) => {
  const run = createService(t)
  const LATCHKEY_DATABASE_URL = await createDatabase(t)
  const { child, exited, output } = run([], {
    LATCHKEY_DATABASE_URL,
    LATCHKEY_MIGRATE_ON_START: 'false',
    LATCHKEY_ISSUER: 'https://sso.example.com',
    LATCHKEY_PORT: '0',
  })
  while (!output().includes('Server listening')) await once(child.stdout, 'data')
  t.strictSame(await tables(LATCHKEY_DATABASE_URL), [])
  child.kill('SIGTERM')
  t.equal(await exited, 0, output())
})

t.test('an unknown command is refused', async (t) => {
  const step = createService(t)(['migrat'], {})
  t.equal(await step.exited, 1)
  t.equal(step.output(), 'things cannot start: there is no command "migrat", only "migrate"\n')
})
