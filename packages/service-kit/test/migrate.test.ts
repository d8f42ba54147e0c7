import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createDatabase, writeKeyFile } from '@latchkey/test-kit'
import { Client } from 'pg'
import t, { type Test } from 'tap'
import { createRole, execute } from './with-database.ts'

const kit = pathToFileURL(join(import.meta.dirname, '../src/index.ts')).href

/** Writes a service with one table. @returns a function that runs it as a process */
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
    `import { runService, serviceSettings } from '${kit}'
    await runService({
      name: 'things',
      settings: { type: 'object', properties: serviceSettings, required: ['LATCHKEY_ISSUER'] },
      migrations: new URL('./migrations/', import.meta.url),
      setUp: async () => {},
    })`,
  )
  return (args: string[], env: NodeJS.ProcessEnv) => {
    const child = spawn(process.execPath, [main, ...args], { env })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
    const exited = once(child, 'close').then(([code]) => code as number | null)
    return { child, exited, output: () => output }
  }
}

async function tables(connectionString: string, schema = 'public'): Promise<string[]> {
  const client = new Client({ connectionString })
  await client.connect()
  const { rows } = await client.query(
    `SELECT tablename FROM pg_tables WHERE schemaname = '${schema}' ORDER BY tablename`,
  )
  await client.end()
  return rows.map(({ tablename }) => tablename)
}

t.test('`main.ts migrate` needs only the database, and of two runs one migrates', async (t) => {
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

t.test('`main.ts migrate` ends with one sentence when the database is unreachable', async (t) => {
  const run = createService(t)
  const step = run(['migrate'], { LATCHKEY_DATABASE_URL: 'postgres://latchkey@127.0.0.1:1/none' })
  t.equal(await step.exited, 1)
  t.equal(step.output(), 'things cannot start: the database cannot be reached (ECONNREFUSED)\n')
})

t.test(
  'a service with LATCHKEY_MIGRATE_ON_START=false leaves the schema alone and stops with exit code 0',
  async (t) => {
    const run = createService(t)
    const LATCHKEY_DATABASE_URL = await createDatabase(t)
    const { child, exited, output } = run([], {
      LATCHKEY_DATABASE_URL,
      LATCHKEY_MIGRATE_ON_START: 'false',
      LATCHKEY_ISSUER: 'https://sso.example.com',
      LATCHKEY_KEYS_FILE: writeKeyFile(t).file,
      LATCHKEY_PORT: '0',
    })
    while (!output().includes('Server listening')) await once(child.stdout, 'data')
    t.strictSame(await tables(LATCHKEY_DATABASE_URL), [])
    child.kill('SIGTERM')
    t.equal(await exited, 0, output())
  },
)

t.test('needs CREATE only to migrate, and says how to grant it', async (t) => {
  const run = createService(t)
  const admin = await createDatabase(t)
  const role = await createRole(t, admin)
  await execute(admin, 'REVOKE CREATE ON SCHEMA public FROM public')
  const env = { LATCHKEY_DATABASE_URL: role.url }
  const refused = run(['migrate'], env)
  t.equal(await refused.exited, 1)
  t.equal(
    refused.output(),
    `things cannot start: the database role "${role.name}" may not create tables in schema ` +
      `"public"; as the schema's owner run GRANT CREATE ON SCHEMA public TO ${role.name}, or run ` +
      '`main.ts migrate` with another role\n',
  )
  await execute(admin, `GRANT CREATE ON SCHEMA public TO ${role.name}`)
  t.equal(await run(['migrate'], env).exited, 0)
  await execute(admin, `REVOKE CREATE ON SCHEMA public FROM ${role.name}`)
  const again = run(['migrate'], env)
  t.equal(await again.exited, 0)
  t.equal(again.output(), 'things: nothing to migrate\n')
})

t.test('keeps the list of migrations in the schema of the tables', async (t) => {
  const run = createService(t)
  const admin = await createDatabase(t)
  const role = await createRole(t, admin)
  const env = { LATCHKEY_DATABASE_URL: role.url }
  await execute(admin, `ALTER ROLE ${role.name} SET search_path = own, public`)
  await execute(admin, `CREATE SCHEMA own AUTHORIZATION ${role.name}`)
  t.equal(await run(['migrate'], env).exited, 0)
  t.strictSame(await tables(admin, 'own'), ['migrations', 'things'])
  t.strictSame(await tables(admin), [])
  await execute(admin, `ALTER ROLE ${role.name} SET search_path = missing`)
  const lost = run(['migrate'], env)
  t.equal(await lost.exited, 1)
  t.match(lost.output(), /no schema in the search_path of the database role "[^"]+" exists/)
})

t.test('prints the commands and every setting with --help', async (t) => {
  const run = createService(t)
  for (const flag of ['--help', '-h', 'help']) {
    const help = run([flag], {})
    t.equal(await help.exited, 0)
    t.match(help.output(), /^ {2}migrate /m)
    t.match(
      help.output(),
      /^LATCHKEY_PORT\n {4}An integer from 0 to 65535\. Default: `3000`\.\n {4}Port to listen on/m,
    )
    t.match(help.output(), /^LATCHKEY_ISSUER\n {4}An http or https URL[\s\S]*?Required\.\n/m)
  }
})

t.test('names the setting when it cannot listen', async (t) => {
  const step = createService(t)([], {
    LATCHKEY_DATABASE_URL: await createDatabase(t),
    LATCHKEY_ISSUER: 'https://sso.example.com',
    LATCHKEY_KEYS_FILE: writeKeyFile(t).file,
    LATCHKEY_HOST: '192.0.2.1',
    LATCHKEY_LOG_LEVEL: 'silent',
  })
  t.equal(await step.exited, 1)
  t.match(step.output(), /^things cannot start: LATCHKEY_HOST or LATCHKEY_PORT cannot be used: /)
})

t.test('refuses an unknown command', async (t) => {
  const step = createService(t)(['migrat'], {})
  t.equal(await step.exited, 1)
  t.equal(
    step.output(),
    'things cannot start: unknown command "migrat"; --help lists the commands\n',
  )
})
