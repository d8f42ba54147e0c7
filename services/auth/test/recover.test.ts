import { setTimeout as sleep } from 'node:timers/promises'
import { createDatabase } from '@latchkey/test-kit'
import t, { type Test } from 'tap'
import { assess, type Facts } from '../src/cli/recover/assess.ts'
import { run } from './command.ts'
import { login, poll, refresh, register, startAuth } from './support.ts'

const recover = (LATCHKEY_DATABASE_URL: string, ...args: string[]) =>
  run('cli/main.ts', ['recover', ...args], { LATCHKEY_DATABASE_URL })

/** An auth service with one open session, which has reported that it runs. */
async function startWithSession(t: Test) {
  const app = await startAuth(t)
  const email = await register(app)
  const tokens = await login(app, email)
  while ((await app.db.query('SELECT FROM verifiers')).rowCount === 0) await sleep(50)
  return { app, email, tokens, url: app.config.LATCHKEY_DATABASE_URL }
}

/** A second of running is enough for `--since`. */
const sinceStart = ['--since', '0.0001']

t.test('nothing was lost while an auth instance ran and restored nothing', async (t) => {
  const { url } = await startWithSession(t)
  const nothing = await recover(url, ...sinceStart)
  t.equal(nothing.code, 0)
  t.match(nothing.stdout, /^PostgreSQL: +\d+.*, writable, timeline 1$/m)
  t.match(nothing.stdout, /^ok +nothing_lost .* auth-1 was running all the time/m)
  const longer = await recover(url)
  t.equal(longer.code, 1)
  t.match(longer.stdout, /^warning +auth_started_later .* --end-sessions/m)
})

t.test('prints what was restored, and the users whose changes may be lost', async (t) => {
  const { app, email, url } = await startWithSession(t)
  await app.db.query(`
    INSERT INTO recoveries (recovered_at, instance, sessions, missing_sessions, subjects, user_ids)
    VALUES (now() - interval '2 days', 'auth-3', 9, 9, 0, '{}'),
           (now(), 'auth-2', 3, 1, 0, '{}')`)
  const restored = await recover(url)
  t.equal(restored.code, 0)
  t.match(restored.stdout, / UTC +auth-2 +3 +1 +0$/m)
  t.notMatch(restored.stdout, 'auth-3')
  await app.db.query(`
    INSERT INTO recoveries (instance, sessions, missing_sessions, subjects, user_ids)
    SELECT 'auth-1', 0, 0, 2, ARRAY[id, '00000000-0000-4000-8000-000000000000'] FROM users`)
  const concerned = await recover(url)
  t.equal(concerned.code, 1)
  t.match(concerned.stdout, new RegExp(`-[0-9a-f]{12}  ${email}$`, 'm'))
  t.match(concerned.stdout, /^00000000-.* {2}no such account$/m)
  t.match(concerned.stdout, /^warning +users_to_check .*user changed by an admin/m)
  const { recoveries, users, server } = JSON.parse((await recover(url, '--json')).stdout)
  t.match(recoveries, [
    { instance: 'auth-1', subjects: 2 },
    { sessions: 3, missing_sessions: 1 },
  ])
  t.match(users, [{ email }, { email: null }])
  t.match(server, { in_recovery: false, timeline: 1 })
})

t.test('exits with 2 when it cannot find out', async (t) => {
  const unreachable = await recover('postgres://127.0.0.1:2/x')
  t.match(unreachable, { code: 2, stderr: /the database cannot be reached \(ECONNREFUSED\)/ })
  const empty = await recover(await createDatabase(t))
  t.match(empty, { code: 2, stdout: '', stderr: /of another release .*; run main.ts migrate/ })
  t.match(await recover(''), { code: 2, stderr: /LATCHKEY_DATABASE_URL is not set/ })
  t.equal((await recover('', '--since', '-1')).code, 2)
  t.match(await recover('', '--help'), { code: 0, stdout: /Exit code 0: nothing was lost/ })
})

t.test('knows that no instance could restore anything', async (t) => {
  const check = (facts: Partial<Facts>) =>
    assess({
      server: { isInRecovery: false, isReadOnly: false },
      instances: [],
      recoveries: [],
      sinceHours: 1,
      ...facts,
    }).map(({ level, code }) => `${level} ${code}`)
  t.strictSame(check({}), ['error auth_silent'])
  t.strictSame(check({ instances: [{ instance: 'a', uptimeSeconds: 3_601 }] }), ['ok nothing_lost'])
  t.strictSame(check({ server: { isInRecovery: true, isReadOnly: true } }), [
    'error server_read_only',
  ])
})

t.test('ends all open sessions in batches, and revokes their tokens', async (t) => {
  const { app, tokens, url } = await startWithSession(t)
  await app.db.query(`
    INSERT INTO sessions (user_id, expires_at, network)
    SELECT id, now() + interval '1 day', '::' FROM users, generate_series(1, 1200)`)
  const unconfirmed = await recover(url, '--end-sessions')
  t.match(unconfirmed, { code: 2, stderr: /requires --yes/ })
  const { refresh_token } = (await refresh(app, tokens.refresh_token)).json()
  // A logout that waits for its commit.
  const client = await app.db.connect()
  await client.query('BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0')
  await client.query('SELECT FROM sessions ORDER BY id LIMIT 1 FOR UPDATE')
  const ending = recover(url, '--end-sessions', '--yes', '--json')
  const count = async () => (await app.db.query('SELECT FROM revocations')).rowCount
  while (((await count()) ?? 0) < 1_200) await sleep(50)
  await client.query('COMMIT')
  client.release()
  t.match(await ending, { code: 0, stdout: '{"ended_sessions":1201}\n' })
  t.equal((await refresh(app, refresh_token)).statusCode, 401)
  t.equal((await poll(app, 'revocations')).json().sessions.length, 1_201)
  t.match(await recover(url, '--end-sessions', '--yes'), { code: 0, stdout: /^Ended 0 sessions/ })
})
