import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startEmbeddedPostgres } from '@latchkey/embedded-postgres'
import t, { type Test } from 'tap'
import { type Finding, isFault } from '../src/cli/doctor/finding.ts'
import { exitCodeOf } from '../src/cli/doctor.ts'
import type { AuthConfig } from '../src/config.ts'
import { run } from './command.ts'
import { issuer, startAuth } from './support.ts'

/** Runs `latchkey doctor --json`, with settings of auth in the environment. */
async function doctor(env: Record<string, string>, ...args: string[]) {
  const { code, stdout, stderr } = await run('cli/main.ts', ['doctor', '--json', ...args], env)
  const findings: Finding[] = stdout === '' ? [] : JSON.parse(stdout).findings
  const textOf = (wanted: string) =>
    findings
      .filter((finding) => finding.code === wanted)
      .map(({ level, text }) => `${level}: ${text}`)
      .join('\n')
  return { code, stderr, findings, textOf }
}

/** A listening auth service, and the environment in which the doctor reaches it. */
async function startListening(t: Test, overrides: Partial<AuthConfig> = {}) {
  const app = await startAuth(t, overrides)
  const env = {
    LATCHKEY_AUTH_URL: await app.listen({ host: '127.0.0.1', port: 0 }),
    LATCHKEY_DATABASE_URL: app.config.LATCHKEY_DATABASE_URL,
    LATCHKEY_ISSUER: issuer,
    LATCHKEY_KEYS_FILE: app.config.LATCHKEY_KEYS_FILE,
  }
  while ((await app.db.query('SELECT FROM verifiers')).rowCount === 0) await sleep(50)
  return { app, env }
}

t.test('finds what is wrong with the verifiers of a running installation', async (t) => {
  const { app, env } = await startListening(t)
  const { kid } = app.keyring.current.signing
  await app.db.query(
    `INSERT INTO verifiers VALUES ('orders-1', 'orders', $1, now(), 7.2),
                                  ('orders-2', 'orders', '{old}', now(), -3)`,
    [[kid]],
  )
  const { code, findings, textOf } = await doctor(env)
  t.equal(code, 1)
  t.match(
    textOf('clock_beyond_tolerance'),
    /^error: .* orders-1 .* is 7 s ahead of .*measured to 1 s/,
  )
  t.match(textOf('clock_off'), /^warning: .* orders-2 .* is 3 s behind/)
  t.match(textOf('clocks'), /^ok: .*this machine, auth-1/)
  t.match(textOf('signing_key_missing'), /^error: orders-2 \(orders\) lacks key/)
  t.match(textOf('key_unknown'), 'orders-2 (orders) has old')
  t.match(textOf('key_known'), /which signs: auth-1, orders-1\.$/)
  t.match(textOf('auth_answers'), /^ok/)
  t.match(textOf('schema'), /^ok/)
  t.match(textOf('connections'), /may open 10 \(instances: 1; .* the default/)
  const levels = findings.map(({ level }) => ['error', 'warning', 'ok'].indexOf(level))
  t.strictSame(levels, levels.toSorted(), 'the worst first')
})

t.test('finds nothing wrong, until writes wait for a standby', { timeout: 120_000 }, async (t) => {
  // A server of its own, because this is a setting of the whole server.
  const server = await startEmbeddedPostgres(50, { durable: true })
  t.teardown(() => server.stop())
  const { app, env } = await startListening(t, { LATCHKEY_DATABASE_URL: server.url })
  const kids = app.keyring.current.keys.map(({ kid }) => kid)
  await app.db.query(
    `INSERT INTO verifiers VALUES ('orders-1', 'orders', $1, now() + interval '5 min')`,
    [kids],
  )
  const sound = await doctor(env)
  t.strictSame([sound.code, sound.findings.filter(isFault)], [0, []])
  await app.db.query(`ALTER SYSTEM SET synchronous_standby_names = 'nobody'`)
  await app.db.query('SELECT pg_reload_conf()')
  const names = async () => (await app.db.query('SHOW synchronous_standby_names')).rows[0]
  while ((await names()).synchronous_standby_names !== 'nobody') await sleep(20)
  const waiting = await doctor(env)
  t.equal(waiting.code, 1)
  t.match(waiting.textOf('synchronous_standby_missing'), /^error: .* 0 of 1 .* writes wait/)
})

t.test('prints a line for each finding, without what a terminal would interpret', async (t) => {
  const { app, env } = await startListening(t)
  await app.db.query(`INSERT INTO verifiers VALUES (E'x\\x1b[31m', 'orders', '{old}', now())`)
  const { code, stdout } = await run('cli/main.ts', ['doctor'], env)
  t.equal(code, 1)
  t.match(stdout, /^error +signing_key_missing +x\\u001b\[31m \(orders\) lacks key .*$/m)
  t.notMatch(stdout, '\u001b')
})

t.test('reads the state of the database, and continues where a part does not answer', async (t) => {
  const { app, env } = await startListening(t)
  await app.db.query(`
    DO $$ BEGIN
      EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database());
    END $$;
    DELETE FROM migrations WHERE name LIKE '008%';
    INSERT INTO migrations (name, run_on) VALUES ('999_future', now())`)
  await chmod(env.LATCHKEY_KEYS_FILE, 0o604)
  const { code, textOf } = await doctor({
    ...env,
    LATCHKEY_AUTH_URL: 'http://127.0.0.1:2',
    LATCHKEY_DATABASE_POOLER: 'transaction',
  })
  t.equal(code, 1)
  t.match(textOf('auth_unreachable'), 'does not answer at http://127.0.0.1:2 (ECONNREFUSED)')
  t.match(textOf('synchronous_commit_off'), /^warning: Role \w+ commits with .* = off/)
  t.match(textOf('statement_timeout_unset'), /^warning/)
  t.match(textOf('migrations_pending'), /^error: .*008_verifier-clocks/)
  t.match(textOf('key_file_world_readable'), /chmod o-rwx/)
  t.match(textOf('key_known'), /auth-1/, 'knows the verifiers from the database')
})

t.test('reports a database that accepts no writes', async (t) => {
  const { app, env } = await startListening(t)
  await app.db.query(`
    DO $$ BEGIN
      EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database());
    END $$`)
  const { textOf } = await doctor(env)
  t.match(textOf('server_read_only'), /^error/)
  t.match(textOf('schema_not_checked'), /the server is read-only/)
})

t.test('checks the settings of auth where they are in the environment', async (t) => {
  const env = {
    LATCHKEY_AUDIENCES: 'orders',
    LATCHKEY_DATABASE_URL: 'postgres://127.0.0.1:1/x',
    LATCHKEY_ISSUER: issuer,
    LATCHKEY_KEYS_FILE: join(t.testdir(), 'none.json'),
  }
  const unreachable = await doctor(env)
  t.equal(unreachable.code, 2, 'neither auth nor the database')
  t.match(unreachable.textOf('database_unreachable'), /ECONNREFUSED/)
  t.match(unreachable.textOf('key_file_unusable'), /ENOENT/)
  t.match(unreachable.textOf('trust_proxy_unset'), /^warning/)
  t.match(unreachable.textOf('auth_not_checked'), 'pass --auth')
  const { textOf } = await doctor({
    ...env,
    LATCHKEY_PORT: 'x',
    LATCHKEY_DATABASE_URL: 'mysql://a:b@c',
  })
  t.match(textOf('settings_invalid'), /LATCHKEY_PORT must be an integer/)
  t.notMatch(textOf('database_unreachable'), 'a:b')
})

t.test('the exit code is 0 without a fault, 1 with one, 2 if nothing was checked', async (t) => {
  const finding = (level: Finding['level']): Finding => ({ level, code: 'x', text: '' })
  t.equal(exitCodeOf([finding('ok')], true), 0)
  t.equal(exitCodeOf([finding('warning'), finding('ok')], true), 1)
  t.equal(exitCodeOf([finding('ok')], false), 2)
  t.equal((await doctor({}, '--nonsense')).code, 2)
  t.match(await run('cli/main.ts', ['doctor', '--help'], {}), {
    code: 0,
    stdout: /Exit code 0: no/,
  })
})
