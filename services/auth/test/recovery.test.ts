import { setTimeout as sleep } from 'node:timers/promises'
import type { Service } from '@latchkey/service-kit'
import t from 'tap'
import { RevocationMemory } from '../src/revocation/memory.ts'
import {
  as,
  claimsOf,
  createConfig,
  interceptStatements,
  login,
  password,
  poll,
  post,
  refresh,
  register,
  startAuth,
  startInstance,
} from './support.ts'

/**
 * Undoes commits as a failover does that loses the end of the write-ahead log: no trigger runs, and
 * the numbers of the revocations are used again.
 */
async function lose(app: Service, ...statements: string[]): Promise<void> {
  const client = await app.db.connect()
  const lost = `seq > 0; SELECT setval('revocations_seq', 1, false)`
  await client.query(`
    BEGIN;
    SET LOCAL session_replication_role = replica;
    ${statements.join(';')};
    DELETE FROM revocations WHERE ${lost};
    COMMIT`)
  client.release()
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(50)
}

const sessionsOf = async (app: Service): Promise<Set<string>> =>
  new Set((await poll(app, 'revocations')).json().sessions.map(([sid]: [string]) => sid))

const recoveries = async (app: Service) =>
  (await app.db.query('SELECT * FROM recoveries ORDER BY id')).rows

const countOf = async (app: Service, result: string) => {
  const { values } = await app.counters.refreshes.get()
  return values.find(({ labels }) => labels.result === result)?.value ?? 0
}

t.test('restores the logouts that the database has lost, once', async (t) => {
  const config = await createConfig(t)
  const one = await startInstance(t, config)
  const two = await startInstance(t, { ...config, LATCHKEY_INSTANCE: 'auth-2' })
  const email = await register(one)
  const tokens = []
  for (let n = 0; n < 5; n += 1) tokens.push(await login(one, email))
  for (const { access_token } of tokens) await as(one, access_token, 'POST', '/v1/logout')
  await two.rememberRevocations()
  const { cursor } = (await poll(two, 'revocations')).json()

  await lose(one, 'UPDATE sessions SET revoked_at = NULL')
  // More revocations than were lost: the numbers of the lost ones are in use again.
  const others = []
  for (let n = 0; n < 6; n += 1) others.push(await login(one, email))
  for (const { access_token } of others) await as(one, access_token, 'POST', '/v1/logout')

  const all = [...tokens, ...others].map(({ access_token }) => claimsOf(access_token).sid)
  await until(async () => (await sessionsOf(two)).size === all.length)
  t.strictSame(await sessionsOf(two), new Set(all))
  for (const { refresh_token } of tokens) {
    t.equal((await refresh(two, refresh_token)).statusCode, 401)
  }
  const { sessions } = (await poll(two, `revocations?after=${cursor}`)).json()
  t.equal(sessions.length, all.length, 'a verifier with the lost cursor gets all')
  await one.rememberRevocations()
  await two.rememberRevocations()
  t.match(await recoveries(one), [{ sessions: 5, missing_sessions: 0, subjects: 0, user_ids: [] }])
})

t.test('revokes the tokens of users whose change was lost, and names them', async (t) => {
  const app = await startAuth(t)
  const admin = await register(app)
  const people = [await register(app), await register(app), await register(app)]
  await app.db.query(
    `UPDATE users SET roles = CASE WHEN email = $1 THEN '{admin}' ELSE '{editor}'
    END::text[]`,
    [admin],
  )
  const tokens = await Promise.all(people.map((email) => login(app, email)))
  const subs = tokens.map(({ access_token }) => claimsOf(access_token).sub)
  const { access_token } = await login(app, admin)
  const patch = (sub: string, change: object) =>
    as(app, access_token, 'PATCH', `/v1/admin/users/${sub}`, change)
  const body = { current_password: password, new_password: 'another battery' }
  const before = await app.db.query('SELECT id, password_hash FROM users')
  t.equal((await patch(subs[0], { disabled: true })).statusCode, 200)
  t.equal((await patch(subs[1], { roles: [] })).statusCode, 200)
  const own = tokens[2]?.access_token ?? ''
  t.equal((await as(app, own, 'POST', '/v1/me/password', body)).statusCode, 200)

  const hash = before.rows.find(({ id }) => id === subs[2]).password_hash
  await lose(
    app,
    `UPDATE users SET disabled_at = NULL, tokens_not_before = 0`,
    `UPDATE users SET roles = '{editor}' WHERE id = '${subs[1]}'`,
    `UPDATE users SET password_hash = '${hash}', password_version = 0 WHERE id = '${subs[2]}'`,
    `DELETE FROM sessions WHERE user_id = '${subs[2]}' AND revoked_at IS NULL`,
    'UPDATE sessions SET revoked_at = NULL',
  )
  await until(async () => (await recoveries(app)).length > 0)
  const [recovery] = await recoveries(app)
  t.match(recovery, { sessions: 2, missing_sessions: 0, subjects: 3 })
  t.strictSame(new Set(recovery.user_ids), new Set(subs))
  const revoked = (await poll(app, 'revocations')).json().subjects.map(([sub]: [string]) => sub)
  t.strictSame(new Set(revoked), new Set(subs))
  for (const { access_token: token } of tokens) {
    t.equal((await as(app, token, 'GET', '/v1/me')).statusCode, 401)
  }
})

t.test('restores many in batches, as one recovery', async (t) => {
  const app = await startAuth(t)
  await app.db.query(`
    INSERT INTO revocations (kind, id, expires_at)
    SELECT 'session', gen_random_uuid(), now() + interval '1 hour' FROM generate_series(1, 1200)`)
  await app.rememberRevocations()
  await lose(app, 'SELECT 1')
  await until(async () => (await sessionsOf(app)).size === 1_200)
  await app.rememberRevocations()
  t.match(await recoveries(app), [{ sessions: 0, missing_sessions: 1_200, subjects: 0 }])
})

t.test('notices a second failover that loses what was just restored', async (t) => {
  const app = await startAuth(t)
  const { access_token, refresh_token } = await login(app, await register(app))
  await as(app, access_token, 'POST', '/v1/logout')
  for (const _ of ['first', 'second']) {
    await lose(app, 'UPDATE sessions SET revoked_at = NULL')
    await app.rememberRevocations()
  }
  t.strictSame(await sessionsOf(app), new Set([claimsOf(access_token).sid]))
  t.equal((await refresh(app, refresh_token)).statusCode, 401)
  await app.rememberRevocations()
  t.equal((await recoveries(app)).length, 2, 'then nothing is missing')
})

t.test('ends a session again whose logout has expired during an outage', async (t) => {
  const app = await startAuth(t)
  const { access_token, refresh_token } = await login(app, await register(app))
  const client = await app.db.connect()
  await client.query(`
    BEGIN;
    UPDATE sessions SET revoked_at = now();
    UPDATE revocations SET expires_at = now() + interval '8 seconds';
    COMMIT`)
  client.release()
  await app.rememberRevocations()
  t.strictSame(await sessionsOf(app), new Set([claimsOf(access_token).sid]))
  let isDown = true
  interceptStatements(t, app, async (name, run) => {
    if (isDown && name === 'revocation_list') throw new Error('Connection terminated')
    return run()
  })
  const isExpired = async () =>
    (await app.db.query("SELECT FROM revocations WHERE expires_at < now() - interval '1 second'"))
      .rows
  await until(async () => (await isExpired()).length > 0)
  await lose(app, 'UPDATE sessions SET revoked_at = NULL')
  isDown = false
  await app.rememberRevocations()
  t.equal((await refresh(app, refresh_token)).statusCode, 401)
})

t.test('restores what was revoked with SQL under an ID that is not a UUID', async (t) => {
  const app = await startAuth(t)
  const { access_token } = await login(app, await register(app))
  await app.db.query(`
    INSERT INTO revocations (kind, id, not_before, expires_at)
    VALUES ('subject', 'service:orders', 5, now() + interval '1 hour'),
           ('session', 'some session', NULL, now() + interval '1 hour')`)
  await as(app, access_token, 'POST', '/v1/logout')
  await lose(app, 'UPDATE sessions SET revoked_at = NULL')
  await app.rememberRevocations()
  t.strictSame(await sessionsOf(app), new Set([claimsOf(access_token).sid, 'some session']))
  t.match(await recoveries(app), [{ sessions: 1, missing_sessions: 1, subjects: 1, user_ids: [] }])
})

t.test('does not deadlock with a logout from all sessions', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const tokens = [await login(app, email), await login(app, email)]
  const [first, last] = tokens.map(({ access_token }) => claimsOf(access_token).sid).sort()
  for (const { access_token } of tokens) await as(app, access_token, 'POST', '/v1/logout')
  await lose(app, 'UPDATE sessions SET revoked_at = NULL')
  const client = await app.db.connect()
  t.teardown(() => client.release(true))
  const end = (sid: string) =>
    client.query('UPDATE sessions SET revoked_at = now() WHERE id = $1', [sid])
  await client.query('BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0')
  await client.query('SELECT FROM users FOR NO KEY UPDATE')
  await end(last)
  const restored = app.rememberRevocations()
  const waiting = `
    SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`
  await until(async () => (await app.db.query(waiting)).rows.length > 0)
  await end(first)
  await client.query('COMMIT')
  await restored
  t.equal((await sessionsOf(app)).size, 2)
})

t.test('remembers the later expiry of a subject when all is read again', async (t) => {
  const memory = new RevocationMemory()
  memory.add({ sessions: '[]', subjects: '[["ada",200,5000]]' })
  memory.add({ sessions: '[]', subjects: '[["ada",100,2000]]' })
  memory.forget(3_000, { isDue: true })
  t.strictSame(memory.minus(new RevocationMemory()).subjects, [['ada', 200, 5_000]])
})

t.test('restores nothing when the last revocations have only expired', async (t) => {
  const app = await startAuth(t)
  await app.db.query(`
    INSERT INTO revocations (kind, id, expires_at) VALUES ('session', gen_random_uuid(), now() - interval '1 minute')`)
  await app.rememberRevocations()
  await lose(app, 'SELECT 1')
  await app.rememberRevocations()
  t.strictSame(await recoveries(app), [])
})

t.test('counts a session whose login was lost, and lets its refresh token revoke it', async (t) => {
  const app = await startAuth(t)
  const { access_token, refresh_token } = await login(app, await register(app))
  const { sid } = claimsOf(access_token)
  await lose(app, 'DELETE FROM sessions')
  t.match((await refresh(app, refresh_token)).json(), { code: 'refresh_token_invalid' })
  t.equal(await countOf(app, 'lost'), 1)
  const byAccessToken = await as(app, access_token, 'POST', '/v1/logout')
  t.match(byAccessToken.json(), { code: 'token_revoked' }, 'every verifier can sign such a token')
  t.equal((await sessionsOf(app)).size, 0)
  for (let n = 0; n < 2; n += 1) {
    t.equal((await post(app, '/v1/logout', { refresh_token })).statusCode, 204)
  }
  const { sessions } = (await poll(app, 'revocations')).json()
  t.match(sessions, [[sid]], 'once')
  t.match((await refresh(app, refresh_token)).json(), { code: 'refresh_token_invalid' })
  t.equal(await countOf(app, 'lost'), 1, 'a revoked session is not lost')
})

t.test('acknowledges no logout that the database has lost before it is remembered', async (t) => {
  const app = await startAuth(t)
  const { access_token } = await login(app, await register(app))
  await app.rememberRevocations()
  let losses = 1
  interceptStatements(t, app, async (name, run) => {
    const result = await run()
    if (name === 'session_revoke' && losses-- > 0) {
      await lose(app, 'UPDATE sessions SET revoked_at = NULL')
    }
    return result
  })
  const logout = () => as(app, access_token, 'POST', '/v1/logout')
  t.match((await logout()).json(), { status: 503, code: 'database_unavailable' })
  t.equal((await logout()).statusCode, 204)
  t.strictSame(await sessionsOf(app), new Set([claimsOf(access_token).sid]))
})

t.test('accepts a replaced token for the grace after an outage, too', async (t) => {
  const app = await startAuth(t, { LATCHKEY_REFRESH_GRACE_SECONDS: 2 })
  const { refresh_token } = await login(app, await register(app))
  const successor = (await refresh(app, refresh_token)).json().refresh_token
  let isDown = true
  interceptStatements(t, app, async (_name, run) => {
    if (isDown) throw new Error('Connection terminated')
    return run()
  })
  await app.rememberRevocations().catch(() => {})
  while (app.recentOutageSeconds(2) < 6) await sleep(100)
  t.equal((await refresh(app, refresh_token)).statusCode, 503)
  isDown = false
  t.equal((await refresh(app, refresh_token)).json().refresh_token, successor)
  while (app.recentOutageSeconds(2) > 0) await sleep(100)
  t.match((await refresh(app, refresh_token)).json(), { code: 'refresh_token_reused' })
})

t.test('moves a session forward whose refreshes were lost', async (t) => {
  const app = await startAuth(t)
  const first = await login(app, await register(app))
  const tokens = [first.refresh_token]
  for (let n = 0; n < 5; n += 1) {
    tokens.push((await refresh(app, tokens.at(-1) ?? '')).json().refresh_token)
  }
  await lose(app, `UPDATE sessions SET generation = 2, replaced_at = '{}'`)
  const newest = tokens[5] ?? ''
  const racing = Array.from({ length: 20 }, () => refresh(app, newest))
  const replies = await Promise.all(racing)
  t.strictSame(new Set(replies.map(({ statusCode }) => statusCode)), new Set([200]))
  const successors = new Set(replies.map((reply) => reply.json().refresh_token))
  t.equal(successors.size, 1)
  const [successor = ''] = successors
  t.ok((await countOf(app, 'recovered')) >= 1)
  for (const token of tokens.slice(2)) {
    t.equal((await refresh(app, token)).json().refresh_token, successor, 'within the grace')
  }
  await app.db.query(
    `UPDATE sessions SET refreshed_at = refreshed_at - interval '1 minute',
       replaced_at = ARRAY(SELECT t - interval '1 minute' FROM unnest(replaced_at) AS t)`,
  )
  t.match((await refresh(app, tokens[3] ?? '')).json(), { code: 'refresh_token_reused' })
  t.equal((await refresh(app, successor)).statusCode, 401)
})

t.test('an ended session stays ended for a token that is ahead of its row', async (t) => {
  const app = await startAuth(t)
  const { refresh_token } = await login(app, await register(app))
  const ahead = (await refresh(app, refresh_token)).json().refresh_token
  await lose(app, 'UPDATE sessions SET generation = 0, revoked_at = now()')
  t.equal((await refresh(app, ahead)).statusCode, 401)
})
