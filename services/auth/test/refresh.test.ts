import t from 'tap'
import {
  as,
  claimsOf,
  countStatements,
  createConfig,
  login,
  refresh,
  register,
  startAuth,
  startInstance,
  type Tokens,
} from './support.ts'

t.test('refreshes a token that another instance issued', async (t) => {
  const config = await createConfig(t)
  const [one, two] = [await startInstance(t, config), await startInstance(t, config)]
  const { refresh_token } = await login(one, await register(one))
  const reply = await refresh(two, refresh_token)
  t.equal(reply.statusCode, 200)
  t.equal((await refresh(one, reply.json<Tokens>().refresh_token)).statusCode, 200)
})

t.test('returns the same successor to twenty concurrent refreshes of one token', async (t) => {
  const config = await createConfig(t)
  const [one, two] = [await startInstance(t, config), await startInstance(t, config)] as const
  const { refresh_token } = await login(one, await register(one))
  const replies = await Promise.all(
    Array.from({ length: 20 }, (_, i) => refresh(i % 2 ? two : one, refresh_token)),
  )
  t.strictSame(new Set(replies.map((reply) => reply.statusCode)), new Set([200]))
  t.equal(new Set(replies.map((reply) => reply.json<Tokens>().refresh_token)).size, 1)
  const { rows } = await one.db.query('SELECT generation FROM sessions')
  t.strictSame(rows, [{ generation: 1 }])
})

t.test('counts one reuse when many requests race with an old token', async (t) => {
  const app = await startAuth(t, { LATCHKEY_REFRESH_GRACE_SECONDS: 0 })
  const { refresh_token } = await login(app, await register(app))
  await refresh(app, refresh_token)
  const replies = await Promise.all(Array.from({ length: 20 }, () => refresh(app, refresh_token)))
  const codes = replies.map((reply) => reply.json().code).sort()
  t.strictSame(codes, [...Array(19).fill('refresh_token_invalid'), 'refresh_token_reused'])
  t.match((await app.inject('/metrics')).body, /refreshes_total\{result="reused".*\} 1\n/)
})

t.test('reuse of an older token revokes its session and leaves others open', async (t) => {
  const app = await startAuth(t, { LATCHKEY_REFRESH_GRACE_SECONDS: 0 })
  const email = await register(app)
  const stolen = await login(app, email)
  const other = await login(app, email)
  const second = (await refresh(app, stolen.refresh_token)).json<Tokens>()
  const third = (await refresh(app, second.refresh_token)).json<Tokens>()

  const reuse = await refresh(app, stolen.refresh_token)
  t.equal(reuse.statusCode, 401)
  t.match(reuse.json(), { code: 'refresh_token_reused' })
  t.match((await refresh(app, third.refresh_token)).json(), { code: 'refresh_token_invalid' })
  t.equal((await as(app, third.access_token, 'GET', '/v1/me')).statusCode, 401)
  const { rows } = await app.db.query('SELECT kind, id FROM revocations')
  t.strictSame(rows, [{ kind: 'session', id: claimsOf(stolen.access_token).sid }])
  t.equal((await refresh(app, other.refresh_token)).statusCode, 200)
})

t.test('gives every generation replaced within the grace the same successor', async (t) => {
  const config = await createConfig(t)
  const [one, two] = [await startInstance(t, config), await startInstance(t, config)] as const
  const tokens = [await login(one, await register(one))]
  for (let i = 0; i < 5; i += 1) {
    tokens.push((await refresh(i % 2 ? one : two, tokens.at(-1)?.refresh_token ?? '')).json())
  }
  const late = await Promise.all(
    tokens.slice(0, -1).map(({ refresh_token }, i) => refresh(i % 2 ? one : two, refresh_token)),
  )
  for (const reply of late) {
    t.match(reply.json(), { refresh_token: tokens.at(-1)?.refresh_token })
  }
  // As if the first three had been replaced a minute ago.
  await one.db.query(`UPDATE sessions SET replaced_at[3] = now() - interval '1 minute',
                                          replaced_at[4] = now() - interval '1 minute'`)
  t.equal((await refresh(one, tokens[2]?.refresh_token ?? '')).statusCode, 200)
  const reuse = await refresh(one, tokens[1]?.refresh_token ?? '')
  t.match(reuse.json(), { code: 'refresh_token_reused' })
})

t.test('remembers no more generations than a client replaces within the grace', async (t) => {
  const app = await startAuth(t)
  let { refresh_token } = await login(app, await register(app))
  const first = refresh_token
  for (let i = 0; i < 70; i += 1) {
    refresh_token = (await refresh(app, refresh_token)).json<Tokens>().refresh_token
  }
  const { rows } = await app.db.query('SELECT cardinality(replaced_at) AS known FROM sessions')
  t.strictSame(rows, [{ known: 63 }])
  await app.db.query(`UPDATE sessions SET replaced_at = ARRAY(
    SELECT t - interval '1 minute' FROM unnest(replaced_at) AS t)`)
  await refresh(app, refresh_token)
  const pruned = await app.db.query('SELECT cardinality(replaced_at) AS known FROM sessions')
  t.strictSame(pruned.rows, [{ known: 1 }], 'older ones are forgotten')
  t.match((await refresh(app, first)).json(), { code: 'refresh_token_reused' })
})

t.test('refuses the previous token after the grace period', async (t) => {
  const app = await startAuth(t, { LATCHKEY_REFRESH_GRACE_SECONDS: 0 })
  const { refresh_token } = await login(app, await register(app))
  t.equal((await refresh(app, refresh_token)).statusCode, 200)
  t.match((await refresh(app, refresh_token)).json(), { code: 'refresh_token_reused' })
})

t.test('a session stays ended when a logout races with a refresh', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  for (let round = 0; round < 10; round += 1) {
    const { access_token, refresh_token } = await login(app, email)
    const [, refreshed] = await Promise.all([
      as(app, access_token, 'POST', '/v1/logout'),
      refresh(app, refresh_token),
    ])
    t.match(String(refreshed.statusCode), /^(200|401)$/)
    const latest =
      refreshed.statusCode === 200 ? refreshed.json<Tokens>().refresh_token : refresh_token
    t.equal((await refresh(app, latest)).statusCode, 401)
  }
})

t.test('refuses malformed and forged refresh tokens without a query', async (t) => {
  const app = await startAuth(t)
  const { refresh_token } = await login(app, await register(app))
  const flipped = refresh_token.endsWith('A') ? 'B' : 'A'
  const next = Buffer.from(refresh_token.slice(4), 'base64url')
  next.writeUInt32BE(1, 16)
  const statements = countStatements(t, app)
  const garbage = [
    '',
    'lkr_',
    'x'.repeat(74),
    refresh_token.slice(0, -1) + flipped,
    `${refresh_token}A`,
    ` ${refresh_token}`,
    `lkr_${next.toString('base64url')}`,
    refresh_token.replace('lkr_', 'LKR_'),
  ]
  for (const token of garbage) {
    const reply = await refresh(app, token)
    t.equal(reply.statusCode, 401)
    t.match(reply.json(), { code: 'refresh_token_invalid' })
  }
  t.equal(statements.count, 0)
  t.equal((await refresh(app, refresh_token)).statusCode, 200)
})

t.test('refuses to refresh an expired session', async (t) => {
  const app = await startAuth(t)
  const { refresh_token } = await login(app, await register(app))
  await app.db.query('UPDATE sessions SET expires_at = now()')
  t.match((await refresh(app, refresh_token)).json(), { code: 'refresh_token_invalid' })
})

t.test('issues the current scope and roles at a refresh', async (t) => {
  const app = await startAuth(t)
  const { refresh_token } = await login(app, await register(app))
  await app.db.query(`UPDATE users SET roles = '{admin}', scope = 'orders:read'`)
  const { access_token } = (await refresh(app, refresh_token)).json<Tokens>()
  t.match(claimsOf(access_token), { roles: ['admin'], scope: 'orders:read' })
})
