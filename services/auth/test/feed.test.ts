import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRevocationFeed, createVerifier, limits } from '@latchkey/verify'
import { createTestKey, mintToken } from '@latchkey/verify/testing'
import t from 'tap'
import { maxAccessTokenTtlSeconds } from '../src/config.ts'
import { deleteExpiredRevocations, revocationRetentionSeconds } from '../src/revocation/store.ts'
import {
  as,
  assertAs,
  claimsOf,
  deriveKey,
  issuer,
  login,
  password,
  poll,
  post,
  refresh,
  register,
  startAuth,
} from './support.ts'

t.test('lists revocations, and answers 304 when there are no new ones', async (t) => {
  const app = await startAuth(t)
  t.equal((await poll(app, 'revocations', { 'if-none-match': '"0.0"' })).statusCode, 304)
  const { access_token } = await login(app, await register(app))
  await as(app, access_token, 'POST', '/v1/logout')
  const reply = await poll(app, 'revocations?after=0.0', { 'if-none-match': '"0.0"' })
  t.equal(reply.statusCode, 200)
  const { cursor, more, sessions, subjects } = reply.json()
  t.match(cursor, /^1\.[0-9a-f]+$/)
  t.strictSame([more, subjects], [false, []])
  const [[sid, expires]] = sessions
  const { exp, sid: revoked } = claimsOf(access_token)
  t.equal(sid, revoked)
  t.ok(expires >= exp + 60, 'kept as long as any verifier accepts the token')
  const idle = await poll(app, `revocations?after=${cursor}`, { 'if-none-match': `"${cursor}"` })
  t.equal(idle.statusCode, 304)
})

t.test(
  'keeps revocations until no verifier accepts the token, wherever they are written',
  async (t) => {
    const key = createTestKey()
    const now = Math.floor(Date.now() / 1000)
    const iat = now + limits.maxClockToleranceSeconds
    const exp = iat + limits.maxRevocableLifetimeSeconds
    const token = mintToken({ key, issuer, audience: 'orders', claims: { iat, exp } })
    const revocations = { isRevoked: () => false, version: 1, ageSeconds: 0, entries: 0 }
    const verifier = createVerifier({
      keys: [key],
      issuer,
      audience: 'orders',
      clockToleranceSeconds: limits.maxClockToleranceSeconds,
      revocations,
    })
    const acceptedAt = (seconds: number) => {
      t.intercept(Date, 'now', { value: () => seconds * 1000 })
      return verifier.check(token).ok
    }
    t.ok(acceptedAt(now))
    t.ok(acceptedAt(now + revocationRetentionSeconds - 1))
    t.notOk(acceptedAt(now + revocationRetentionSeconds))
    t.equal(maxAccessTokenTtlSeconds, limits.maxRevocableLifetimeSeconds)

    const migration = new URL('../migrations/006_revocations-by-trigger.sql', import.meta.url)
    const intervals = readFileSync(migration, 'utf8').matchAll(/interval '(\d+) seconds'/g)
    const numbers = Array.from(intervals, ([, number]) => Number(number))
    t.strictSame(numbers, Array(3).fill(revocationRetentionSeconds))
  },
)

t.test('refuses users, missing tokens and malformed queries', async (t) => {
  const app = await startAuth(t, { LATCHKEY_DEFAULT_SCOPE: 'revocations:read keys:read' })
  const { access_token } = await login(app, await register(app))
  for (const path of ['/v1/revocations', '/v1/keys/status']) {
    const reply = await as(app, access_token, 'GET', path)
    t.match(reply.json(), { status: 401, code: 'token_unknown_key' })
    t.equal((await app.inject({ url: path })).statusCode, 401)
  }
  const queries = ['after=-1', 'after=x', 'after=1e99', 'after=1.x', `after=1${'0'.repeat(18)}`]
  for (const query of [...queries, 'nonsense=1']) {
    t.equal((await poll(app, `revocations?${query}`)).statusCode, 400, query)
  }
})

t.test('splits a long list into pages', async (t) => {
  const app = await startAuth(t)
  // In parts, for the time limit of a statement on a busy machine.
  for (let n = 0; n < 25_000; n += 2_500) {
    await app.db.query(
      `INSERT INTO revocations (kind, id, expires_at)
       SELECT 'session', 'session ' || n, now() + interval '1 hour'
         FROM generate_series($1::int + 1, $1 + 2500) AS n`,
      [n],
    )
  }
  const seen = new Set<string>()
  let [after, more, pages] = ['', true, 0]
  while (more) {
    const reply = (await poll(app, `revocations?${after}`)).json()
    for (const [id] of reply.sessions) seen.add(id)
    after = `after=${reply.cursor}`
    more = reply.more
    pages += 1
  }
  t.equal(seen.size, 25_000)
  t.equal(pages, 3)
})

t.test('starts from the beginning for a cursor whose row the database has lost', async (t) => {
  const app = await startAuth(t)
  const { access_token } = await login(app, await register(app))
  await as(app, access_token, 'POST', '/v1/logout')
  const sessions = [[claimsOf(access_token).sid]]
  const { cursor } = (await poll(app, 'revocations')).json()
  t.match(cursor, /^1\.[0-9a-f]+$/)
  const tag = cursor.endsWith('0') ? '1' : '0'
  for (const lost of [cursor.slice(0, -1) + tag, `900.${tag}`, '0.0']) {
    const reply = await poll(app, `revocations?after=${lost}`, { 'if-none-match': `"${lost}"` })
    t.match(reply.json(), { cursor, sessions }, lost)
  }
  const idle = await poll(app, `revocations?after=${cursor}`, { 'if-none-match': `"${cursor}"` })
  t.equal(idle.statusCode, 304)
})

t.test('sends numbers to a verifier of the previous release', async (t) => {
  const app = await startAuth(t)
  const { access_token } = await login(app, await register(app))
  t.match((await poll(app, 'revocations?after=0')).json(), { cursor: 0, sessions: [] })
  await as(app, access_token, 'POST', '/v1/logout')
  const sessions = [[claimsOf(access_token).sid]]
  t.match((await poll(app, 'revocations?after=0')).json(), { cursor: 1, sessions })
  t.match((await poll(app, 'revocations?after=900')).json(), { cursor: 1, sessions })
  const idle = await poll(app, 'revocations?after=1', { 'if-none-match': '"1"' })
  t.equal(idle.statusCode, 304)
})

t.test('answers 503 on a read-only server, which may lack the latest revocations', async (t) => {
  const app = await startAuth(t)
  const { rows } = await app.db.query('SELECT current_database() AS name')
  await app.db.query(`ALTER DATABASE ${rows[0].name} SET default_transaction_read_only = on`)
  t.equal((await poll(app, 'revocations')).statusCode, 200, 'on a connection from before')
  await app.db.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
  )
  await app.db.query('SELECT pg_terminate_backend(pg_backend_pid())').catch(() => {})
  const reply = await poll(app, 'revocations')
  t.match(reply.json(), { status: 503, code: 'database_unavailable' })
})

t.test('locks rows before numbers, also for the statements of the previous release', async (t) => {
  const app = await startAuth(t)
  const { sid } = claimsOf((await login(app, await register(app))).access_token)
  const client = await app.db.connect()
  const end = (condition: string) =>
    client.query(`
      WITH s AS (UPDATE sessions SET revoked_at = now() WHERE ${condition} RETURNING id)
      INSERT INTO revocations (kind, id, expires_at)
      SELECT 'session', unnest(ids), now() + interval '1 hour'
        FROM (SELECT array_agg(id) AS ids FROM s) AS ended`)
  const locks = `
    SELECT pid FROM pg_locks
     WHERE locktype = 'advisory' AND objid = 7235419
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
  const blocking = await app.db.connect()
  try {
    await client.query('BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0')
    await end('false') // part of every refresh
    t.equal((await client.query(locks)).rowCount, 0, 'no lock for no revocation')
    await blocking.query('BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0')
    await blocking.query('SELECT FROM sessions WHERE id = $1 FOR UPDATE', [sid])
    const ended = end(`id = '${sid}'`)
    const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = $1`
    const { processID } = client as unknown as { processID: number }
    while ((await blocking.query(waiting, [processID])).rowCount === 0) await sleep(20)
    t.equal((await blocking.query(locks)).rowCount, 0, 'no lock while it waits for the session')
    await blocking.query('COMMIT')
    await ended
    await client.query('COMMIT')
  } finally {
    client.release(true)
    blocking.release(true)
  }
})

t.test('a reader sees every revocation once, in whatever order commits finish', async (t) => {
  const app = await startAuth(t, { LATCHKEY_DATABASE_POOL_MAX: 20 })
  const total = 200
  let isWriting = true
  const write = async (n: number) => {
    const client = await app.db.connect()
    try {
      await client.query('BEGIN')
      await sleep(Math.random() * 20)
      await client.query(
        `INSERT INTO revocations (kind, id, expires_at) VALUES ('session', $1, now() + interval '1 hour')`,
        [String(n)],
      )
      if (n % 10 === 0) await sleep(Math.random() * 20) // commits late, with an earlier number
      await client.query(n % 17 === 0 ? 'ROLLBACK' : 'COMMIT')
    } finally {
      client.release()
    }
  }
  const seen: string[] = []
  const read = async () => {
    let after = ''
    for (;;) {
      const isLast = !isWriting
      const reply = (await poll(app, `revocations?${after}`)).json()
      for (const [id] of reply.sessions) seen.push(id)
      after = `after=${reply.cursor}`
      if (isLast) return
    }
  }
  const reading = read()
  // No more writers than connections: on a busy machine the others would time out.
  for (let n = 0; n < total; n += 15) {
    await Promise.all(Array.from({ length: Math.min(15, total - n) }, (_, i) => write(n + i)))
  }
  isWriting = false
  await reading
  const committed = Array.from({ length: total }, (_, n) => n).filter((n) => n % 17 !== 0)
  t.strictSame(new Set(seen), new Set(committed.map(String)))
  t.equal(seen.length, committed.length)
})

t.test('stores the keys that a verifier reports with its poll', async (t) => {
  const app = await startAuth(t)
  const kid = app.keyring.current.signing.kid
  await poll(app, 'revocations?instance=orders-1&kids=a%2Cb')
  while ((await app.db.query('SELECT FROM signing_keys')).rowCount === 0) await sleep(20)
  const { verifiers, signing_keys } = (await poll(app, 'keys/status')).json()
  t.match(verifiers, [
    { service: 'auth', instance: 'auth-1', kids: [kid] },
    { service: 'orders', instance: 'orders-1', kids: ['a', 'b'] },
  ])
  t.match(signing_keys, [{ kid }])
  t.ok(signing_keys[0].live_seconds > 900 && signing_keys[0].live_seconds < 910)
})

t.test('answers a poll whose report cannot be stored', async (t) => {
  const app = await startAuth(t)
  const long = Array.from({ length: 200 }, (_, n) => `2026-11-24-${String(n).padStart(6, '0')}`)
  for (const report of [
    `instance=many&kids=${long.join()}`,
    `instance=more&kids=${'x'.repeat(8_001)}`,
    `instance=${'x'.repeat(101)}&kids=a`,
    'instance=&kids=a',
    'instance=none&kids=',
  ]) {
    const { statusCode } = await poll(app, `revocations?${report}`)
    t.equal(statusCode, 200, report.slice(0, 40))
  }
  await app.db.query('DROP TABLE verifiers')
  const { statusCode } = await poll(app, 'revocations?instance=orders-1&kids=a')
  t.equal(statusCode, 200, 'without the table')
})

t.test('a feed refuses an instance name that is too long to report', async (t) => {
  const keys = (await startAuth(t)).keyring
  const options = { url: 'http://127.0.0.1:1', keys, issuer, service: 'orders' }
  t.throws(() => createRevocationFeed({ ...options, instance: 'x'.repeat(101) }), RangeError)
  createRevocationFeed({ ...options, instance: 'x'.repeat(100) }).close()
})

t.test('keeps verifiers of two services with the same instance name apart', async (t) => {
  const app = await startAuth(t)
  await poll(app, 'revocations?instance=auth-1&kids=a')
  await poll(app, 'revocations?instance=auth-1&kids=b')
  await sleep(100)
  t.match((await poll(app, 'keys/status')).json().verifiers, [
    { service: 'auth', instance: 'auth-1' },
    { service: 'orders', instance: 'auth-1', kids: ['b'] },
  ])
})

t.test('omits and deletes expired revocations', async (t) => {
  const app = await startAuth(t)
  await app.db.query(
    `INSERT INTO revocations (kind, id, expires_at) VALUES ('session', 'old', now() - interval '1 second')`,
  )
  const { cursor, sessions } = (await poll(app, 'revocations')).json()
  t.strictSame(sessions, [])
  await app.db.query(`UPDATE revocations SET revoked_at = now() - interval '2 minutes'`)
  const count = async () => (await app.db.query('SELECT FROM revocations')).rows.length
  await deleteExpiredRevocations(app.db)
  t.equal(await count(), 1, 'the newest one, which is the cursor of idle verifiers')
  await app.db.query(
    `INSERT INTO revocations (kind, id, expires_at) VALUES ('session', 'new', now())`,
  )
  await deleteExpiredRevocations(app.db)
  t.equal(await count(), 2, 'verifiers have a minute to read the next one')
  t.match((await poll(app, `revocations?after=${cursor}`)).json(), { sessions: [] })
  await app.db.query(`UPDATE revocations SET revoked_at = now() - interval '2 minutes'`)
  await deleteExpiredRevocations(app.db)
  t.equal(await count(), 1)
})

t.test('changing the password ends all sessions and opens a new one', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const [one, two] = [await login(app, email), await login(app, email)]
  const change = (current_password: string, new_password: string) =>
    as(app, one.access_token, 'POST', '/v1/me/password', { current_password, new_password })
  t.match((await change('wrong wrong', 'another battery')).json(), { code: 'invalid_credentials' })
  const reply = await change(password, 'another battery')
  t.equal(reply.statusCode, 200)
  for (const old of [one, two]) t.equal((await refresh(app, old.refresh_token)).statusCode, 401)
  t.equal((await refresh(app, reply.json().refresh_token)).statusCode, 200)
  t.equal((await post(app, '/v1/login', { email, password: 'another battery' })).statusCode, 200)
  t.equal((await poll(app, 'revocations')).json().sessions.length, 2)
})

t.test('reports how far the clock of a verifier is ahead of the database', async (t) => {
  const app = await startAuth(t)
  const pollFrom = (instance: string, authorization: string) =>
    app.inject({
      url: `/v1/revocations?instance=${instance}&kids=a`,
      headers: { authorization: `Bearer ${authorization}` },
    })
  const clock = t.intercept(Date, 'now', {
    value: () => performance.timeOrigin + performance.now() + 50_000,
  })
  const ahead = assertAs(app, 'orders')
  clock.restore()
  await pollFrom('ahead', await ahead)
  const { secret } = deriveKey(app, 'orders')
  const now = Math.floor(Date.now() / 1000)
  const claims = { iat: now, exp: now + 30, sub: 'orders', sid: undefined }
  const header = { typ: 'client-authentication+jwt' }
  const key = { kid: `${app.keyring.current.roots[0]?.kid}/orders`, secret }
  const issued = mintToken({ key, issuer: 'orders', audience: issuer, claims, header })
  t.equal((await pollFrom('another', issued)).statusCode, 200)
  const { verifiers } = (await poll(app, 'keys/status')).json()
  const clockOf = (name: string) =>
    verifiers.find(({ instance }: { instance: string }) => instance === name).clock_ahead_seconds
  t.ok(clockOf('ahead') > 5 && clockOf('ahead') < 52, `${clockOf('ahead')} s`)
  t.equal(clockOf('another'), null, 'an assertion with another lifetime does not tell the time')
})
