import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createDatabase } from '@latchkey/test-kit'
import { DatabaseError, Pool } from 'pg'
import t from 'tap'
import { createClientClass } from '../src/database-client.ts'
import { isDatabaseUnavailable } from '../src/database-errors.ts'
import {
  createFolder,
  createMigrations,
  createRole,
  cutConnections,
  execute,
  startWithDatabase,
  until,
  writeMigration,
} from './with-database.ts'

const unavailable = { statusCode: 503, headers: { 'retry-after': '1' } }
const nameOf = (url: string) => new URL(url).pathname.slice(1)

t.test('answers 503 while the server is read-only, and then leaves its connections', async (t) => {
  const { app, url } = await startWithDatabase(t)
  const write = () => app.inject({ method: 'POST', url: '/things' })
  const fillPool = () => Promise.all([1, 2, 3].map(() => app.db.query('SELECT pg_sleep(0.2)')))
  // For new connections alone: the ones opened meanwhile stay read-only, as those to a standby do.
  await execute(url, `ALTER DATABASE ${nameOf(url)} SET default_transaction_read_only = on`)
  await execute(url, 'SET default_transaction_read_only = off', cutConnections)
  await until(() => app.db.totalCount === 0)
  await fillPool()
  await execute(
    url,
    'SET default_transaction_read_only = off',
    `ALTER DATABASE ${nameOf(url)} RESET default_transaction_read_only`,
  )
  const refused = await write()
  t.match(refused, unavailable)
  t.match(refused.json(), { code: 'database_unavailable' })
  t.equal((await write()).statusCode, 200, 'every connection to the read-only server is closed')
})

t.test('is not ready while the server is read-only', async (t) => {
  const { app, url, warnings } = await startWithDatabase(t)
  t.equal((await app.inject('/readyz')).statusCode, 200)
  await execute(url, `ALTER DATABASE ${nameOf(url)} SET default_transaction_read_only = on`)
  await execute(url, 'SET default_transaction_read_only = off', cutConnections)
  await until(async () => {
    await app.inject('/readyz')
    return warnings().some(([{ err }]) => err?.message === 'the server is read-only')
  })
  t.equal((await app.inject('/readyz')).statusCode, 503)
  await execute(
    url,
    'SET default_transaction_read_only = off',
    `ALTER DATABASE ${nameOf(url)} RESET default_transaction_read_only`,
  )
  await until(async () => (await app.inject('/readyz')).statusCode === 200)
})

t.test('tells the state of the server from a bug by the class of the error', async (t) => {
  const classify = (code: string) => {
    const err = Object.assign(new DatabaseError('message', 0, 'error'), { code })
    return isDatabaseUnavailable(err)
  }
  const states = `08006 08P01 0A000 25006 25P03 25P04 26000 28000 28P01 3D000 3F000 40001 40P01 42501
    42P01 42P05 42703 42883 53100 53300 55000 55P03 57014 57P01 57P03 57P05 58030 72000 F0001 XX000
    XX001`
  for (const code of states.trim().split(/\s+/)) t.ok(classify(code), code)
  const bugs = '21000 22001 22P02 22P05 23502 23505 42601 42702 42P18 54000 54001 P0001'
  for (const code of bugs.split(' ')) t.notOk(classify(code), code)
})

t.test('answers 503 when the password, the role or a privilege has changed', async (t) => {
  const admin = await createDatabase(t)
  const { name: role, url } = await createRole(t, admin)
  await execute(admin, `GRANT CREATE, USAGE ON SCHEMA public TO ${role}`)
  const { app } = await startWithDatabase(t, { LATCHKEY_DATABASE_URL: url })
  const read = () => app.inject('/things')
  t.equal((await read()).statusCode, 200)
  for (const [change, revert] of [
    [`ALTER ROLE ${role} PASSWORD 'two'`, `ALTER ROLE ${role} PASSWORD 'one'`],
    [`ALTER ROLE ${role} NOLOGIN`, `ALTER ROLE ${role} LOGIN`],
    [`REVOKE SELECT ON things FROM ${role}`, `GRANT SELECT ON things TO ${role}`],
    ['ALTER TABLE things RENAME TO others', 'ALTER TABLE others RENAME TO things'],
  ] as const) {
    await execute(admin, change, cutConnections)
    await until(() => app.db.idleCount === 0)
    t.match(await read(), unavailable, change)
    await execute(admin, revert)
    t.equal((await read()).statusCode, 200, revert)
  }
})

t.test('uses a new password from the file of the URL without a restart', async (t) => {
  const admin = await createDatabase(t)
  const { name: role, url: LATCHKEY_DATABASE_URL, urlWith } = await createRole(t, admin)
  await execute(admin, `GRANT CREATE, USAGE ON SCHEMA public TO ${role}`)
  const file = join(createFolder(t), 'url')
  writeFileSync(file, LATCHKEY_DATABASE_URL)
  const { app, warnings } = await startWithDatabase(t, {
    LATCHKEY_DATABASE_URL,
    LATCHKEY_DATABASE_URL_FILE: file,
  })
  await execute(admin, `ALTER ROLE ${role} PASSWORD 'two'`, cutConnections)
  await until(() => app.db.idleCount === 0)
  t.match(await app.inject('/things'), unavailable)
  writeFileSync(file, 'half a file')
  for (let i = 0; i < 3; i += 1) t.match(await app.inject('/things'), unavailable)
  const unusable = warnings().filter(([, message]) => /_FILE cannot be used/.test(message))
  t.equal(unusable.length, 1, 'one warning about a file that cannot be used')
  writeFileSync(file, `${urlWith('two')}\n`)
  t.equal((await app.inject('/things')).statusCode, 200)
})

t.test('logs the cause when readiness fails, and its end, once each', async (t) => {
  const { app, url, warnings, lines } = await startWithDatabase(t)
  t.equal((await app.inject('/readyz')).statusCode, 200)
  await execute(url, 'ALTER TABLE migrations RENAME TO elsewhere')
  for (let i = 0; i < 5; i += 1) t.equal((await app.inject('/readyz')).statusCode, 503)
  const failed = warnings().filter(([, message]) => message === 'readiness check failed')
  t.equal(failed.length, 1)
  t.match(failed[0]?.[0], {
    check: 'database',
    err: { message: 'the database lacks the migrations 001_things; run `main.ts migrate`' },
  })
  await execute(url, 'ALTER TABLE elsewhere RENAME TO migrations')
  for (let i = 0; i < 5; i += 1) t.equal((await app.inject('/readyz')).statusCode, 200)
  const recovered = lines.info().filter(({ args }) => /passes again/.test(String(args[1])))
  t.equal(recovered.length, 1)
})

t.test('logs why it is not ready, even if nothing asks', async (t) => {
  const { app, warnings } = await startWithDatabase(t, {
    LATCHKEY_DATABASE_URL: 'postgres://nobody:wrong@127.0.0.1:1/none',
    LATCHKEY_MIGRATE_ON_START: false,
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  await until(() => warnings().length > 0)
  t.match(warnings(), [[{ check: 'database', err: { code: 'ECONNREFUSED' } }, /readiness/]])
})

t.test('is ready only when the schema has every migration of this release', async (t) => {
  const { app, url, migrations } = await startWithDatabase(t)
  writeMigration(migrations, '002_more', 'ALTER TABLE things ADD more int')
  const options = { LATCHKEY_DATABASE_URL: url, LATCHKEY_MIGRATE_ON_START: false, migrations }
  const newer = await startWithDatabase(t, options)
  t.equal((await newer.app.inject('/readyz')).statusCode, 503)
  const updated = await startWithDatabase(t, { LATCHKEY_DATABASE_URL: url, migrations })
  for (const ready of [updated, newer]) {
    t.equal((await ready.app.inject('/readyz')).statusCode, 200)
  }
  const older = await startWithDatabase(t, { ...options, migrations: createMigrations(t) })
  t.equal((await older.app.inject('/readyz')).statusCode, 200, 'an older release stays ready')
  t.equal((await app.inject('/readyz')).statusCode, 200)
})

t.test('a late request to cancel ends no other statement', async (t) => {
  const url = await createDatabase(t)
  const Client = createClientClass({ readUrl: () => url, cancelAfterMs: 200 })
  const pool = new Pool({ Client, max: 1 })
  t.teardown(() => pool.end())
  await pool.query('SELECT')
  for (let n = 0; n < 3; n += 1) {
    const first = pool.query('SELECT pg_sleep(0.1)')
    await new Promise(setImmediate) // sent; then the process stops, as in a frozen machine
    for (const end = performance.now() + 400; performance.now() < end; );
    await first.catch(() => {})
    await t.resolves(pool.query('SELECT pg_sleep(0.1)'))
  }
})
