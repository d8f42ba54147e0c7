import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import {
  as,
  claimsOf,
  login,
  password,
  post,
  refresh,
  register,
  startAuth,
  type Tokens,
} from './support.ts'

t.test('logout with an access token ends only its session', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const [one, two] = [await login(app, email), await login(app, email)]
  t.equal((await as(app, one.access_token, 'POST', '/v1/logout')).statusCode, 204)
  t.match((await as(app, one.access_token, 'GET', '/v1/me')).json(), { code: 'token_revoked' })
  t.match((await refresh(app, one.refresh_token)).json(), { code: 'refresh_token_invalid' })
  t.equal((await refresh(app, two.refresh_token)).statusCode, 200)
})

t.test('logout with a refresh token needs no access token, and works twice', async (t) => {
  const app = await startAuth(t)
  const { refresh_token } = await login(app, await register(app))
  t.equal((await post(app, '/v1/logout', { refresh_token })).statusCode, 204)
  t.equal((await post(app, '/v1/logout', { refresh_token })).statusCode, 204)
  t.equal((await refresh(app, refresh_token)).statusCode, 401)
})

t.test('refuses a logout without a token, and names only the scheme and realm', async (t) => {
  const app = await startAuth(t)
  const reply = await post(app, '/v1/logout')
  t.equal(reply.statusCode, 401)
  t.equal(reply.headers['www-authenticate'], 'Bearer realm="latchkey"')
  t.match(reply.json(), { code: 'token_missing' })
})

t.test("lists the user's open sessions and marks the current one", async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const [one, two] = [await login(app, email), await login(app, email)]
  await login(app, await register(app))
  const { sessions } = (await as(app, one.access_token, 'GET', '/v1/sessions')).json()
  t.strictSame(
    new Set(
      sessions.map(({ id, current }: { id: string; current: boolean }) => `${id} ${current}`),
    ),
    new Set([`${claimsOf(one.access_token).sid} true`, `${claimsOf(two.access_token).sid} false`]),
  )
})

t.test('a user ends one of their own sessions, but not one of another user', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const [one, two] = [await login(app, email), await login(app, email)]
  const stranger = await login(app, await register(app))
  const path = `/v1/sessions/${claimsOf(two.access_token).sid}`
  t.match((await as(app, stranger.access_token, 'DELETE', path)).json(), {
    status: 404,
    code: 'session_not_found',
  })
  t.equal((await as(app, one.access_token, 'DELETE', path)).statusCode, 204)
  t.equal((await refresh(app, two.refresh_token)).statusCode, 401)
  t.equal((await refresh(app, one.refresh_token)).statusCode, 200)
})

t.test('accepts a logout whose body says nothing, and ends the session', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const bodies = [
    { payload: '{}', type: 'application/json' },
    { payload: 'null', type: 'application/json' },
    { payload: '', type: 'application/json' },
    { payload: '', type: 'application/json; charset=utf-8' },
  ]
  for (const { payload, type } of bodies) {
    const { access_token, refresh_token } = await login(app, email)
    const headers = { authorization: `Bearer ${access_token}`, 'content-type': type }
    const url = '/v1/logout'
    const reply = await app.inject({ method: 'POST', url, headers, payload })
    t.equal(reply.statusCode, 204, payload)
    t.equal((await refresh(app, refresh_token)).statusCode, 401, payload)
  }
  const { access_token } = await login(app, email)
  const misspelt = await as(app, access_token, 'POST', '/v1/logout', { refreshToken: 'lkr_x' })
  t.equal(misspelt.statusCode, 400)
  const headers = { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' }
  const everywhere = await app.inject({ method: 'DELETE', url: '/v1/sessions', headers })
  t.equal(everywhere.statusCode, 204)
})

t.test('lists all of many open sessions', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  await app.db.query(`
    INSERT INTO sessions (user_id, network, expires_at)
    SELECT id, '127.0.0.1', now() + interval '1 day' FROM users, generate_series(1, 150)`)
  const { access_token } = await login(app, email)
  t.equal((await as(app, access_token, 'GET', '/v1/sessions')).json().sessions.length, 151)
})

t.test(
  'revokes sessions that are deleted, alone or with their user, and cannot be truncated',
  async (t) => {
    const app = await startAuth(t)
    const email = await register(app)
    const tokens = [await login(app, email), await login(app, email), await login(app, email)]
    const [one, two, ended] = tokens.map(({ access_token }) => claimsOf(access_token).sid)
    await as(app, tokens[2]?.access_token ?? '', 'POST', '/v1/logout')
    await app.db.query('DELETE FROM sessions WHERE id = $1', [one])
    await t.rejects(app.db.query('TRUNCATE sessions CASCADE'), /DELETE FROM/)
    await t.rejects(app.db.query('TRUNCATE users CASCADE'), /DELETE FROM/)
    await app.db.query('DELETE FROM users')
    const { rows } = await app.db.query(
      `SELECT id FROM revocations WHERE kind = 'session' ORDER BY seq`,
    )
    t.strictSame(rows, [{ id: ended }, { id: one }, { id: two }])
  },
)

t.test('password changes and logins at the session cap do not deadlock', async (t) => {
  const app = await startAuth(t, { LATCHKEY_DATABASE_POOL_MAX: 20 })
  const email = await register(app)
  const { access_token } = await login(app, email)
  const change = () =>
    as(app, access_token, 'POST', '/v1/me/password', {
      current_password: password,
      new_password: password,
    })
  for (let round = 0; round < 3; round += 1) {
    await app.db.query(`
      INSERT INTO sessions (user_id, network, created_at, expires_at)
      SELECT id, '127.0.0.1', now() - n * interval '1 second', now() + interval '1 day'
        FROM users, generate_series(1, 1100) AS n`)
    const logins = Array.from({ length: 12 }, () => post(app, '/v1/login', { email, password }))
    const replies = await Promise.all([...logins, change(), change()])
    for (const { statusCode, body } of replies) t.not(statusCode, 503, body)
  }
  const { rows } = await app.db.query(
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  )
  t.strictSame(rows, [{ deadlocks: '0' }])
})

t.test('logging out everywhere ends and revokes all sessions, but not a later login', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const [one, two] = [await login(app, email), await login(app, email)]
  t.equal((await as(app, one.access_token, 'DELETE', '/v1/sessions')).statusCode, 204)
  for (const { refresh_token } of [one, two]) {
    t.equal((await refresh(app, refresh_token)).statusCode, 401)
  }
  const { rows } = await app.db.query('SELECT kind, id FROM revocations')
  const revoked = [one, two].map(({ access_token }) => claimsOf(access_token).sid)
  t.strictSame(new Set(rows.map(({ id }) => id)), new Set(revoked))
  const fresh = await login(app, email)
  t.equal((await as(app, fresh.access_token, 'GET', '/v1/me')).statusCode, 200)
})

t.test('logging out everywhere ends every session that is refreshed meanwhile', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  for (let round = 0; round < 10; round += 1) {
    const sessions = await Promise.all([login(app, email), login(app, email), login(app, email)])
    const [first] = sessions as [Tokens, ...Tokens[]]
    const [, ...refreshed] = await Promise.all([
      as(app, first.access_token, 'DELETE', '/v1/sessions'),
      ...sessions.map(({ refresh_token }) => refresh(app, refresh_token)),
    ])
    for (const reply of refreshed) {
      if (reply.statusCode !== 200) continue
      t.equal((await refresh(app, reply.json<Tokens>().refresh_token)).statusCode, 401)
    }
    const { rows } = await app.db.query('SELECT FROM sessions WHERE revoked_at IS NULL')
    t.equal(rows.length, 0)
  }
})

t.test('logging out everywhere revokes a session that has just expired', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const [old, current] = [await login(app, email), await login(app, email)]
  const { sid } = claimsOf(old.access_token)
  await app.db.query('UPDATE sessions SET expires_at = now() WHERE id = $1', [sid])
  t.equal((await as(app, current.access_token, 'DELETE', '/v1/sessions')).statusCode, 204)
  const { rows } = await app.db.query('SELECT id FROM revocations')
  t.ok(rows.some(({ id }) => id === sid))
})

t.test('ends and revokes the oldest sessions of a user beyond a thousand', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  await app.db.query(`
    INSERT INTO sessions (user_id, network, created_at, expires_at)
    SELECT id, '127.0.0.1', now() - n * interval '1 second', now() + interval '1 day'
      FROM users, generate_series(1, 1200) AS n`)
  const { access_token } = await login(app, email)
  t.equal((await as(app, access_token, 'GET', '/v1/me')).statusCode, 200)
  const open = await app.db.query('SELECT FROM sessions WHERE revoked_at IS NULL')
  t.equal(open.rows.length, 1_000)
  t.equal((await app.db.query('SELECT FROM revocations')).rows.length, 201)
})

t.test('answers 503 when a connection is lost in a transaction, and keeps running', async (t) => {
  const app = await startAuth(t)
  const { access_token } = await login(app, await register(app))
  const client = await app.db.connect()
  await client.query('BEGIN')
  await client.query('SELECT FROM users FOR UPDATE')
  const ending = as(app, access_token, 'DELETE', '/v1/sessions')
  await sleep(200)
  const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
  const pool = app.db as unknown as { _clients: { connection: { stream: Socket } }[] }
  for (const { connection } of pool._clients) connection.stream.destroy(reset)
  t.equal((await ending).statusCode, 503)
  client.release(true)
  t.equal((await as(app, access_token, 'GET', '/v1/me')).statusCode, 200)
})
