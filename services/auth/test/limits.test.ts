import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Service } from '@latchkey/service-kit'
import t from 'tap'
import { networkOf } from '../src/limits/network.ts'
import { createPasswordBulkhead } from '../src/passwords/hasher.ts'
import {
  as,
  createConfig,
  hasherOf,
  login,
  password,
  post,
  register,
  startAuth,
  startInstance,
} from './support.ts'

const loginFrom = (remoteAddress: string, email: string, secret: string) => ({
  method: 'POST' as const,
  url: '/v1/login',
  remoteAddress,
  payload: { email, password: secret },
})

t.test('instances share a rate limit', async (t) => {
  const config = await createConfig(t, { LATCHKEY_REGISTER_LIMIT: 4 })
  const apps = [await startInstance(t, config), await startInstance(t, config)] as const
  const replies = await Promise.all(
    Array.from({ length: 10 }, (_, i) =>
      post(apps[i % 2 ? 1 : 0], '/v1/register', { email: `${randomUUID()}@example.com`, password }),
    ),
  )
  t.equal(replies.filter(({ statusCode }) => statusCode === 201).length, 4)
  const refused = replies.filter(({ statusCode }) => statusCode === 429)
  t.equal(refused.length, 6)
  t.match(refused[0]?.json(), { code: 'rate_limited' })
  t.ok(Number(refused[0]?.headers['retry-after']) > 0)
})

t.test('delays a guessing stranger at every instance, but not the owner', async (t) => {
  const config = await createConfig(t)
  const [one, two] = [await startInstance(t, config), await startInstance(t, config)]
  const email = await register(one) // from 127.0.0.1
  const startedAt = performance.now()
  const guesses = await Promise.all(
    Array.from({ length: 30 }, (_, i) =>
      (i % 2 ? one : two).inject(loginFrom('203.0.113.9', email, 'guess')),
    ),
  )
  const seconds = (performance.now() - startedAt) / 1_000
  const answered = guesses.filter((reply) => reply.statusCode === 401).length
  t.ok(answered >= 11, 'ten guesses, and the one that starts the delay')
  // None more within a second. On a slow machine delays of 1, 2, 4 … s may pass meanwhile.
  t.ok(answered <= 11 + Math.floor(Math.log2(seconds + 1)), `${answered} in ${seconds} s`)
  await one.db.query(
    `UPDATE login_failures SET retry_at = now() + interval '1 min' WHERE failures > allowed`,
  )
  const refused = await two.inject(loginFrom('203.0.113.9', email, password))
  t.equal(refused.statusCode, 429, 'the right password too')
  t.match(refused.json(), { code: 'too_many_failures' })
  t.ok(Number(refused.headers['retry-after']) <= 60)
  const elsewhere = await two.inject(loginFrom('203.0.113.77', email, 'guess'))
  t.equal(elsewhere.statusCode, 429, 'another network too')
  const owner = await one.inject(loginFrom('127.0.0.1', email, password))
  t.equal(owner.statusCode, 200)
})

t.test('delays a network that guesses at many accounts, but not its known users', async (t) => {
  const app = await startAuth(t)
  const known = await register(app)
  await app.db.query(
    `INSERT INTO login_failures
     VALUES ('network:127.0.0.1', 200, 100, now() + interval '1 min', now() + interval '15 min')`,
  )
  t.equal((await post(app, '/v1/login', { email: 'x@example.com', password })).statusCode, 429)
  await login(app, known)
})

t.test('counts IPv6 addresses by their /64', async (t) => {
  const app = await startAuth(t)
  for (let i = 1; i <= 12; i += 1) {
    await app.inject(loginFrom(`2001:db8:0:1::${i.toString(16)}`, 'nobody@example.com', 'guess'))
  }
  const { rows } = await app.db.query(`SELECT key FROM login_failures WHERE key LIKE 'network:%'`)
  t.strictSame(rows, [{ key: 'network:2001:db8:0:1::' }])
})

t.test('ignores the port of a forwarded address, and counts the proxy for none', async (t) => {
  const app = await startAuth(t, { LATCHKEY_TRUST_PROXY: '192.0.2.1' })
  // biome-ignore format: a table
  const cases: [forwarded: string, network: string][] = [
    ['203.0.113.5:5555',   '203.0.113.5'],
    ['203.0.113.5',        '203.0.113.5'],
    ['[2001:db8::1]:443',  '2001:db8::'],
    ['[2001:db8::1]',      '2001:db8::'],
    ['fe80::1%eth0',       'fe80::'],
    ['unknown',            '192.0.2.1'],
    ['_hidden',            '192.0.2.1'],
    ['1.2.3.4:x',          '192.0.2.1'],
    ['::ffff:203.0.113.6', '203.0.113.6'],
    ['64:ff9b::203.0.113.7', '203.0.113.7'],
    ['64:FF9B:0::c000:201', '192.0.2.1'],
    ['64:ff9b:1::203.0.113.8', '64:ff9b:1::'],
  ]
  for (const [forwarded, network] of cases) {
    await app.db.query('DELETE FROM login_failures')
    const request = loginFrom('192.0.2.1', 'nobody@example.com', 'guess')
    const reply = await app.inject({ ...request, headers: { 'x-forwarded-for': forwarded } })
    t.equal(reply.statusCode, 401, forwarded)
    const { rows } = await app.db.query(`SELECT key FROM login_failures WHERE key LIKE 'network:%'`)
    t.strictSame(rows, [{ key: `network:${network}` }], forwarded)
  }
})

t.test('counts a client that has reset its connection for no network', async () => {
  t.equal(networkOf({ ip: undefined, socket: {} }), '::')
})

t.test('does not store the entered e-mail address in plain text', async (t) => {
  const app = await startAuth(t)
  await post(app, '/v1/login', { email: 'My-Secret-Password', password })
  const { rows } = await app.db.query('SELECT key FROM rate_limits')
  t.match(rows, [{ key: /^login [\w-]{43}$/ }])
  const { rows: all } = await app.db.query('SELECT l::text FROM login_failures l')
  t.notMatch(JSON.stringify([...rows, ...all]), /my-secret-password/i)
})

t.test('does not count concurrent logins with the right password as guesses', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  await Promise.all(Array.from({ length: 30 }, () => login(app, email)))
  const { rows } = await app.db.query('SELECT failures FROM login_failures')
  t.strictSame(rows, [{ failures: 0 }])
})

t.test('refuses logins with 503 when the hash queue is full, and still refreshes', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const { refresh_token } = await login(app, email)
  const logins = Array.from({ length: 100 }, (_, i) =>
    app.inject(loginFrom(`203.0.113.${i % 10}`, email, password)),
  )
  const refreshed = await post(app, '/v1/refresh', { refresh_token })
  t.equal(refreshed.statusCode, 200)
  const counts = { 200: 0, 503: 0 }
  for (const reply of await Promise.all(logins)) {
    if (reply.statusCode === 200) counts[200] += 1
    if (reply.statusCode !== 503) continue
    counts[503] += 1
    t.equal(reply.headers['retry-after'], '1')
    t.match(reply.json(), { code: 'busy' })
  }
  t.ok(counts[200] >= 60, `answered: ${JSON.stringify(counts)}`)
  const metrics = (await app.inject('/metrics')).body
  const busy = /^latchkey_logins_total{result="busy".*} (\d+)$/m.exec(metrics)?.[1]
  t.equal(busy, String(counts[503]), 'each is counted once')
})

/** Takes every place of the queue until the returned function is called. */
function fillQueue({ passwords }: Service) {
  const { promise, resolve } = Promise.withResolvers<void>()
  for (let i = 0; !passwords.isFull; i += 1) passwords.admit(`network ${i}`, () => promise)
  return resolve
}

t.test('leaves half of the hash queue to others while one network guesses', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  await app.db.query(
    `INSERT INTO login_failures
     VALUES ('network:203.0.113.9', 200, 100, now() + interval '1 min', now() + interval '15 min')`,
  )
  let isOver = false
  const guess = async () => {
    while (!isOver) {
      await app.inject(loginFrom('203.0.113.9', 'nobody@example.com', 'guess'))
      await sleep(20) // A refusal needs no I/O: without a pause the others would never run.
    }
  }
  const guesses = Array.from({ length: 70 }, guess)
  const owners = Array.from({ length: 30 }, () => post(app, '/v1/login', { email, password }))
  const statuses = (await Promise.all(owners)).map(({ statusCode }) => statusCode)
  isOver = true
  await Promise.all(guesses)
  t.strictSame(new Set(statuses), new Set([200]))
})

t.test('counts no request that is refused because the hash queue is full', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const { access_token } = await login(app, email)
  await app.db.query('DELETE FROM login_failures')
  await app.db.query('DELETE FROM rate_limits')
  const free = fillQueue(app)
  const passwords = { current_password: password, new_password: 'another battery' }
  const change = () => as(app, access_token, 'POST', '/v1/me/password', passwords)
  for (const url of ['/v1/login', '/v1/login?a', '/v1/%6cogin']) {
    t.match((await post(app, url, { email, password })).json(), { status: 503, code: 'busy' }, url)
  }
  t.match((await change()).json(), { status: 503, code: 'busy' })
  for (const table of ['login_failures', 'rate_limits']) {
    t.strictSame((await app.db.query(`SELECT * FROM ${table}`)).rows, [], table)
  }
  free()
  t.equal((await change()).statusCode, 200)
})

t.test('a login succeeds although its outdated hash cannot be replaced', async (t) => {
  const config = await createConfig(t)
  const email = await register(await startInstance(t, config))
  const app = await startInstance(t, { ...config, LATCHKEY_ARGON2_PASSES: 2 })
  const hasher = await hasherOf(app)
  const { verify } = hasher
  let free = () => {}
  t.intercept(hasher, 'verify', {
    value: async (hash: string, secret: string) => {
      const matches = await verify(hash, secret)
      free = fillQueue(app)
      return matches
    },
  })
  const storedHash = async () => (await app.db.query('SELECT password_hash FROM users')).rows[0]
  const before = await storedHash()
  await login(app, email)
  t.strictSame(await storedHash(), before, 'not replaced while the queue is full')
  free()
  t.intercept(hasher, 'hash', {
    value: async () => {
      throw new Error('out of memory')
    },
  })
  t.intercept(hasher, 'verify', { value: verify })
  app.log.level = 'silent'
  await login(app, email)
})

t.test('bounds the hash queue', async (t) => {
  const cost = { memoryKib: 7_168, passes: 1 }
  const passwords = await createPasswordBulkhead(cost, { warn: () => t.fail('no warning') })
  const results = await Promise.allSettled(
    Array.from({ length: 200 }, (_, i) => passwords.admit(`${i}`, (hasher) => hasher.hash('x'))),
  )
  const refused = results.filter(({ status }) => status === 'rejected').length
  t.ok(refused > 0 && refused < 200, `${refused} of 200 refused`)
  t.strictSame(passwords.counters, { running: 0, queued: 0, refused })
})
