import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startOrders } from './start-orders.ts'

t.test('returns the token’s claims and the instance that answered', async (t) => {
  const { request } = await startOrders(t)
  const { status, body } = await request('GET', '/whoami', undefined, {
    subject: 'ada',
    roles: ['admin'],
    claims: { sid: 'session-1' },
  })
  t.equal(status, 200)
  t.strictSame(body, {
    sub: 'ada',
    sid: 'session-1',
    scope: 'orders:read orders:write',
    roles: ['admin'],
    servedBy: 'orders-1',
  })
})

t.test('refuses to start with the key file of another service', async (t) => {
  await t.rejects(startOrders(t, undefined, 'billing'), {
    name: 'ConfigError',
    message:
      /^LATCHKEY_KEYS_FILE: the keys are those of the service billing, not of orders: run latchkey keys export --service orders$/,
  })
})

t.test('logs the user of a request', async (t) => {
  const { app, request } = await startOrders(t)
  const lines = t.capture(app.log, 'info')
  await request('GET', '/whoami', undefined, { subject: 'ada' })
  let line: unknown[] | undefined
  while (line === undefined) {
    await sleep(10)
    line = lines.args().find(([, message]) => message === 'request answered')
  }
  t.match(line, [{ sub: 'ada', status: 200 }, 'request answered'])
})

t.test('answers whoami without a database query', async (t) => {
  const { app, request } = await startOrders(t)
  app.db.query = () => {
    throw new Error('the database was queried')
  }
  t.equal((await request('GET', '/whoami')).status, 200)
})

t.test(
  'verifies tokens while the database is unavailable, and answers 503 for orders',
  async (t) => {
    const { request, url } = await startOrders(t, 'postgres://orders@127.0.0.1:1/orders')
    t.equal((await request('GET', '/whoami')).status, 200)
    const { status, headers, body } = await request('GET', '/v1/orders')
    t.equal(status, 503)
    t.equal(body.code, 'database_unavailable')
    t.equal(headers.get('retry-after'), '1')
    t.equal((await fetch(`${url}/readyz`)).status, 503)
    t.equal((await fetch(`${url}/livez`)).status, 200)
  },
)

t.test('refuses every token that is not a valid one for orders', async (t) => {
  const { request, url } = await startOrders(t)
  const tokens = {
    token_audience: { audience: 'billing' },
    token_issuer: { issuer: 'https://elsewhere.test' },
    token_expired: { expiresInSeconds: -60 },
    token_not_yet_valid: { claims: { nbf: Date.now() / 1000 + 600 } },
    token_signature: { fault: 'tampered' },
    token_algorithm: { fault: 'unsigned' },
    token_unknown_key: { header: { kid: 'another' } },
    token_type: { header: { typ: 'JWT' } },
  } as const
  for (const [code, options] of Object.entries(tokens)) {
    for (const path of ['/whoami', '/v1/orders']) {
      const { status, headers, body } = await request('GET', path, undefined, options)
      t.equal(status, 401, code)
      t.equal(body.code, code)
      t.match(headers.get('www-authenticate'), /^Bearer realm="latchkey", error="invalid_token"/)
    }
  }

  const bare = await fetch(`${url}/v1/orders`)
  t.equal(bare.status, 401)
  t.equal(bare.headers.get('www-authenticate'), 'Bearer realm="latchkey"')
  t.equal(((await bare.json()) as { code: string }).code, 'token_missing')
})
