import { setTimeout as sleep } from 'node:timers/promises'
import type { Service } from '@latchkey/service-kit'
import { createRevocationFeed, mintServiceToken } from '@latchkey/verify'
import t from 'tap'
import { as, claimsOf, issuer, login, post, refresh, register, startAuth } from './support.ts'

/** Polls the feed as a service does. */
async function poll(app: Service, query: string, headers: Record<string, string> = {}) {
  const token = await mintServiceToken(app.keyring, {
    issuer,
    service: 'orders',
    audience: 'latchkey:auth',
    scope: 'revocations:read keys:read',
  })
  return app.inject({
    url: `/v1/${query}`,
    headers: { authorization: `Bearer ${token}`, ...headers },
  })
}

t.test('the feed names what was revoked, and answers 304 when there is no news', async (t) => {
  const app = await startAuth(t)
  t.equal((await poll(app, 'revocations?after=0', { 'if-none-match': '"0"' })).statusCode, 304)
  const { access_token } = await login(app, await register(app))
  await as(app, access_token, 'POST', '/v1/logout')
  const reply = await poll(app, 'revocations?after=0', { 'if-none-match': '"0"' })
  t.equal(reply.statusCode, 200)
  const { cursor, more, sessions, subjects } = reply.json()
  t.strictSame([cursor, more, subjects], [1, false, []])
  const [[sid, expires]] = sessions
  t.equal(sid, claimsOf(access_token).sid)
  t.ok(
    expires >= claimsOf(access_token).exp + 60,
    'remembered as long as any verifier takes the token',
  )
  t.equal((await poll(app, 'revocations?after=1', { 'if-none-match': '"1"' })).statusCode, 304)
})

t.test('users cannot read the feed, nor tokens that are for something else', async (t) => {
  const app = await startAuth(t, { LATCHKEY_DEFAULT_SCOPE: 'revocations:read keys:read' })
  const { access_token } = await login(app, await register(app))
  for (const path of ['/v1/revocations', '/v1/keys/status']) {
    t.match((await as(app, access_token, 'GET', path)).json(), {
      status: 403,
      code: 'service_only',
    })
    t.equal((await app.inject({ url: path })).statusCode, 401)
  }
  for (const query of ['after=-1', 'after=x', 'after=1e99', 'nonsense=1']) {
    t.equal((await poll(app, `revocations?${query}`)).statusCode, 400, query)
  }
})

t.test('a long list comes in pages, each after the one before', async (t) => {
  const app = await startAuth(t)
  await app.db.query(`
    INSERT INTO revocations (kind, id, expires_at)
    SELECT 'session', 'session ' || n, now() + interval '1 hour' FROM generate_series(1, 25000) AS n`)
  const seen = new Set<string>()
  let [cursor, more, pages] = [0, true, 0]
  while (more) {
    const reply = (await poll(app, `revocations?after=${cursor}`)).json()
    for (const [id] of reply.sessions) seen.add(id)
    ;({ cursor, more } = reply)
    pages += 1
  }
  t.equal(seen.size, 25_000)
  t.equal(pages, 3)
})

t.test('a cursor from another life of the database starts again from nothing', async (t) => {
  const app = await startAuth(t)
  const { access_token } = await login(app, await register(app))
  await as(app, access_token, 'POST', '/v1/logout')
  const reply = (await poll(app, 'revocations?after=900', { 'if-none-match': '"900"' })).json()
  t.match(reply, { cursor: 1, sessions: [[claimsOf(access_token).sid]] })
})

t.test(
  'a reader that follows the numbers misses nothing, however commits overtake each other',
  async (t) => {
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
        if (n % 10 === 0) await sleep(Math.random() * 20) // commits late, with a number from before
        await client.query(n % 17 === 0 ? 'ROLLBACK' : 'COMMIT')
      } finally {
        client.release()
      }
    }
    const seen: string[] = []
    const read = async () => {
      let cursor = 0
      for (;;) {
        const isLast = !isWriting
        const reply = (await poll(app, `revocations?after=${cursor}`)).json()
        for (const [id] of reply.sessions) seen.push(id)
        cursor = reply.cursor
        if (isLast) return
      }
    }
    const reading = read()
    await Promise.all(Array.from({ length: total }, (_, n) => write(n)))
    isWriting = false
    await reading
    const committed = Array.from({ length: total }, (_, n) => n).filter((n) => n % 17 !== 0)
    t.strictSame(new Set(seen), new Set(committed.map(String)))
    t.equal(seen.length, committed.length, 'and sees nothing twice')
  },
)

t.test('each poll says which keys the verifier holds', async (t) => {
  const app = await startAuth(t)
  const kid = app.keyring.current.signing.kid
  await poll(app, 'revocations?after=0&instance=orders-1&kids=a%2Cb')
  await sleep(100)
  const { verifiers, signing_keys } = (await poll(app, 'keys/status')).json()
  t.match(verifiers, [
    { service: 'auth', instance: 'auth-1', kids: [kid] },
    { service: 'orders', instance: 'orders-1', kids: ['a', 'b'] },
  ])
  t.match(signing_keys, [{ kid }])
  t.ok(signing_keys[0].live_seconds > 900 && signing_keys[0].live_seconds < 910)
})

t.test('no poll fails for what it reports; what cannot be kept is passed over', async (t) => {
  const app = await startAuth(t)
  const long = Array.from({ length: 200 }, (_, n) => `2026-11-24-${String(n).padStart(6, '0')}`)
  for (const report of [
    `instance=many&kids=${long.join()}`,
    `instance=more&kids=${'x'.repeat(8_001)}`,
    `instance=${'x'.repeat(101)}&kids=a`,
    'instance=&kids=a',
    'instance=none&kids=',
  ]) {
    const { statusCode } = await poll(app, `revocations?after=0&${report}`)
    t.equal(statusCode, 200, report.slice(0, 40))
  }
  await app.db.query('DROP TABLE verifiers')
  const { statusCode } = await poll(app, 'revocations?after=0&instance=orders-1&kids=a')
  t.equal(statusCode, 200, 'not even when nothing can be written')
})

t.test('a verifier says at once when its name is too long to report', async (t) => {
  const keys = (await startAuth(t)).keyring
  const options = { url: 'http://127.0.0.1:1', keys, issuer, service: 'orders' }
  t.throws(() => createRevocationFeed({ ...options, instance: 'x'.repeat(101) }), RangeError)
  createRevocationFeed({ ...options, instance: 'x'.repeat(100) }).close()
})

t.test('verifiers of two services may have one name', async (t) => {
  const app = await startAuth(t)
  await poll(app, 'revocations?after=0&instance=auth-1&kids=a')
  await poll(app, 'revocations?after=0&instance=auth-1&kids=b')
  await sleep(100)
  t.match((await poll(app, 'keys/status')).json().verifiers, [
    { service: 'auth', instance: 'auth-1' },
    { service: 'orders', instance: 'auth-1', kids: ['b'] },
  ])
})

t.test('what has expired is left out of the feed and swept from the tables', async (t) => {
  const app = await startAuth(t)
  await app.db.query(
    `INSERT INTO revocations (kind, id, expires_at) VALUES ('session', 'old', now() - interval '1 second')`,
  )
  t.strictSame((await poll(app, 'revocations?after=0')).json().sessions, [])
  const { forgetOldRevocations } = await import('../src/revocation/store.ts')
  await forgetOldRevocations(app.db)
  t.equal((await app.db.query('SELECT FROM revocations')).rows.length, 0)
})

t.test(
  'an admin disables a user: sessions end, logins are refused, verifiers are told',
  async (t) => {
    const app = await startAuth(t)
    const admin = await adminOf(app)
    const email = await register(app)
    const { access_token, refresh_token } = await login(app, email)
    const { sub, sid } = claimsOf(access_token)
    const change = (payload: object) =>
      app.inject({
        method: 'PATCH',
        url: `/v1/admin/users/${sub}`,
        headers: { authorization: `Bearer ${admin}` },
        payload,
      })
    t.match((await change({ disabled: true })).json(), { id: sub, disabled: true })
    t.equal((await refresh(app, refresh_token)).statusCode, 401)
    t.equal((await as(app, access_token, 'GET', '/v1/me')).statusCode, 401)
    t.equal(
      (await post(app, '/v1/login', { email, password: 'correct horse battery' })).statusCode,
      401,
    )
    t.match((await poll(app, 'revocations?after=0')).json().sessions, [[sid]])
    t.equal((await change({ disabled: false })).statusCode, 200)
    await login(app, email)
  },
)

t.test(
  'taking a role revokes the tokens so far; the session goes on and refreshes without it',
  async (t) => {
    const app = await startAuth(t)
    const admin = await adminOf(app)
    const email = await register(app)
    await app.db.query(`UPDATE users SET roles = '{editor,admin}' WHERE email = $1`, [email])
    const before = await login(app, email)
    const { sub, iat } = claimsOf(before.access_token)
    const reply = await app.inject({
      method: 'PATCH',
      url: `/v1/admin/users/${sub}`,
      headers: { authorization: `Bearer ${admin}` },
      payload: { roles: ['editor'] },
    })
    t.match(reply.json(), { roles: ['editor'] })
    const { subjects } = (await poll(app, 'revocations?after=0')).json()
    const [[id, notBefore]] = subjects
    t.equal(id, sub)
    t.ok(iat < notBefore, 'what was issued before is revoked')
    t.equal((await as(app, before.access_token, 'GET', '/v1/me')).statusCode, 401, 'here at once')
    const after = (await refresh(app, before.refresh_token)).json()
    t.match(claimsOf(after.access_token), { roles: ['editor'] })
    t.ok(claimsOf(after.access_token).iat >= notBefore, 'what is issued after holds')
    t.equal((await as(app, after.access_token, 'GET', '/v1/me')).statusCode, 200)
    const giving = await app.inject({
      method: 'PATCH',
      url: `/v1/admin/users/${sub}`,
      headers: { authorization: `Bearer ${admin}` },
      payload: { roles: ['editor', 'auditor'] },
    })
    t.equal(giving.statusCode, 200)
    t.equal(
      (await poll(app, 'revocations?after=0')).json().subjects.length,
      1,
      'giving revokes nothing',
    )
  },
)

t.test('refreshes racing with a lost role issue no token that holds and has it', async (t) => {
  const app = await startAuth(t)
  const { change } = await import('../src/accounts/store.ts')
  const { inTransaction } = await import('@latchkey/service-kit')
  const email = await register(app)
  for (let round = 0; round < 15; round += 1) {
    await app.db.query(`UPDATE users SET roles = '{admin}'`)
    const sessions = await Promise.all([login(app, email), login(app, email), login(app, email)])
    const { sub } = claimsOf(sessions[0]?.access_token ?? '')
    const lose = { roles: [], scope: undefined, disabled: undefined }
    const [, ...refreshed] = await Promise.all([
      inTransaction(app.db, (transaction) => change(transaction, sub, lose, 3_660)),
      ...sessions.map(({ refresh_token }) => refresh(app, refresh_token)),
    ])
    const { rows } = await app.db.query('SELECT tokens_not_before::int AS boundary FROM users')
    for (const reply of refreshed) {
      const { roles, iat } = claimsOf(reply.json().access_token)
      t.ok(
        roles.length === 0 || iat < rows[0].boundary,
        `roles ${roles}, ${iat} of ${rows[0].boundary}`,
      )
    }
  }
})

t.test('roles lost in a row do not move tokens into the future', async (t) => {
  const app = await startAuth(t)
  const { change } = await import('../src/accounts/store.ts')
  const { inTransaction } = await import('@latchkey/service-kit')
  const email = await register(app)
  const { sub } = claimsOf((await login(app, email)).access_token)
  for (const roles of [['a', 'b', 'c'], ['a', 'b'], ['a'], []]) {
    const to = { roles, scope: undefined, disabled: undefined }
    await inTransaction(app.db, (transaction) => change(transaction, sub, to, 3_660))
  }
  const { iat } = claimsOf((await login(app, email)).access_token)
  t.ok(iat - Date.now() / 1_000 <= 1.5, `${iat - Date.now() / 1_000} s ahead`)
})

t.test('admin routes are for admins of now, not of when the token was issued', async (t) => {
  const app = await startAuth(t)
  const { access_token } = await login(app, await register(app))
  t.match((await as(app, access_token, 'GET', '/v1/admin/users?email=x')).json(), {
    status: 403,
    code: 'scope_insufficient',
  })
  const admin = await adminOf(app)
  t.match((await as(app, admin, 'GET', '/v1/admin/users?email=none@example.com')).json(), {
    code: 'user_not_found',
  })
  await app.db.query(`UPDATE users SET roles = '{}'`)
  t.match((await as(app, admin, 'GET', '/v1/admin/users?email=x')).json(), {
    code: 'role_insufficient',
  })
})

t.test('a new password ends all sessions, and answers with a new one', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const [one, two] = [await login(app, email), await login(app, email)]
  const change = (current_password: string, new_password: string) =>
    app.inject({
      method: 'POST',
      url: '/v1/me/password',
      headers: { authorization: `Bearer ${one.access_token}` },
      payload: { current_password, new_password },
    })
  t.match((await change('wrong wrong', 'another battery')).json(), { code: 'invalid_credentials' })
  const reply = await change('correct horse battery', 'another battery')
  t.equal(reply.statusCode, 200)
  for (const old of [one, two]) t.equal((await refresh(app, old.refresh_token)).statusCode, 401)
  t.equal((await refresh(app, reply.json().refresh_token)).statusCode, 200)
  t.equal((await post(app, '/v1/login', { email, password: 'another battery' })).statusCode, 200)
  t.equal((await poll(app, 'revocations?after=0')).json().sessions.length, 2)
})

async function adminOf(app: Service): Promise<string> {
  const email = await register(app)
  await app.db.query(`UPDATE users SET roles = '{admin}' WHERE email = $1`, [email])
  return (await login(app, email)).access_token
}
