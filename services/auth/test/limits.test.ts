import { randomUUID } from 'node:crypto'
import type { Service } from '@latchkey/service-kit'
import t from 'tap'
import { createPasswordHasher } from '../src/passwords/hasher.ts'
import {
  createConfig,
  login,
  password,
  post,
  register,
  startAuth,
  startInstance,
} from './support.ts'

const from = (remoteAddress: string, email: string, secret: string) => ({
  method: 'POST' as const,
  url: '/v1/login',
  remoteAddress,
  payload: { email, password: secret },
})

t.test('a rate limit holds across instances', async (t) => {
  const config = await createConfig(t, { LATCHKEY_REGISTER_LIMIT: 4 })
  const apps = [await startInstance(t, config), await startInstance(t, config)]
  const replies = await Promise.all(
    Array.from({ length: 10 }, (_, i) => {
      const payload = { email: `many-${randomUUID()}@example.com`, password }
      return apps[i % 2]?.inject({ method: 'POST', url: '/v1/register', payload })
    }),
  )
  const statuses = replies.map((reply) => reply?.statusCode)
  t.equal(statuses.filter((status) => status === 201).length, 4)
  t.equal(statuses.filter((status) => status === 429).length, 6)
  const refused = replies.find((reply) => reply?.statusCode === 429)
  t.match(refused?.json(), { code: 'rate_limited' })
  t.ok(Number(refused?.headers['retry-after']) > 0)
})

t.test(
  'a stranger who guesses is slowed down at every instance, and the owner is not',
  async (t) => {
    const config = await createConfig(t)
    const [one, two] = [await startInstance(t, config), await startInstance(t, config)]
    const email = await register(one) // from 127.0.0.1
    const guesses = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        (i % 2 ? one : two).inject(from('203.0.113.9', email, 'guess')),
      ),
    )
    const answered = guesses.filter((reply) => reply.statusCode === 401).length
    t.equal(answered, 11, 'ten guesses, and the one that starts the delay')
    const refused = await two.inject(from('203.0.113.9', email, password))
    t.equal(refused.statusCode, 429, 'even the right password, for a moment')
    t.match(refused.json(), { code: 'too_many_failures' })
    t.ok(Number(refused.headers['retry-after']) <= 60)
    t.equal(
      (await two.inject(from('203.0.113.77', email, 'guess'))).statusCode,
      429,
      'from elsewhere too',
    )
    t.equal(
      (await one.inject(from('127.0.0.1', email, password))).statusCode,
      200,
      'the owner gets in',
    )
  },
)

t.test(
  'a network that tries many accounts is slowed down, and its known users are not',
  async (t) => {
    const app = await startAuth(t)
    const known = await register(app)
    const [{ failures }] = (
      await app.db.query(
        `INSERT INTO login_failures VALUES ('network:127.0.0.1', 200, 100, now() + interval '1 min', now() + interval '15 min')
       RETURNING failures`,
      )
    ).rows
    t.equal(failures, 200)
    t.equal((await post(app, '/v1/login', { email: 'x@example.com', password })).statusCode, 429)
    await login(app, known)
  },
)

t.test('IPv6 addresses count by their /64', async (t) => {
  const app = await startAuth(t)
  const guess = (i: number) =>
    from(`2001:db8:0:1::${i.toString(16)}`, 'nobody@example.com', 'guess')
  for (let i = 1; i <= 12; i += 1) await app.inject(guess(i))
  const { rows } = await app.db.query(`SELECT key FROM login_failures WHERE key LIKE 'network:%'`)
  t.strictSame(rows, [{ key: 'network:2001:db8:0:1::' }])
})

t.test('an address from the edge may have a port, or be none', async (t) => {
  const app = await startAuth(t, { LATCHKEY_TRUST_PROXY: '192.0.2.1' })
  const networks: string[] = []
  for (const forwarded of [
    '203.0.113.5:5555',
    '203.0.113.5',
    '[2001:db8::1]:443',
    '[2001:db8::1]',
    'fe80::1%eth0',
    'unknown',
    '_hidden',
    '1.2.3.4:x',
    '::ffff:203.0.113.6',
  ]) {
    await app.db.query('DELETE FROM login_failures')
    const request = from('192.0.2.1', 'nobody@example.com', 'guess')
    const reply = await app.inject({ ...request, headers: { 'x-forwarded-for': forwarded } })
    t.equal(reply.statusCode, 401, forwarded)
    const { rows } = await app.db.query(`SELECT key FROM login_failures WHERE key LIKE 'network:%'`)
    networks.push(rows[0]?.key.slice('network:'.length))
  }
  t.strictSame(networks, [
    '203.0.113.5',
    '203.0.113.5',
    '2001:db8::',
    '2001:db8::',
    'fe80::',
    '192.0.2.1',
    '192.0.2.1',
    '192.0.2.1',
    '203.0.113.6',
  ])
})

t.test('what was typed as an e-mail address is not kept in clear', async (t) => {
  const app = await startAuth(t)
  await post(app, '/v1/login', { email: 'My-Secret-Password', password })
  const { rows } = await app.db.query('SELECT key FROM rate_limits')
  t.match(rows, [{ key: /^POST \/v1\/login [\w-]{43}$/ }])
  const { rows: all } = await app.db.query('SELECT l::text FROM login_failures l')
  t.notMatch(JSON.stringify([...rows, ...all]), /my-secret-password/i)
})

t.test('right passwords in parallel are not taken for guesses', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  await Promise.all(Array.from({ length: 40 }, () => login(app, email)))
  const { rows } = await app.db.query('SELECT failures FROM login_failures')
  t.strictSame(rows, [{ failures: 0 }])
})

t.test(
  'beyond the hash queue logins are refused at once with 503, and refreshes go on',
  async (t) => {
    const app = await startAuth(t)
    const email = await register(app)
    const { refresh_token } = await login(app, email)
    const logins = Array.from({ length: 150 }, () => post(app, '/v1/login', { email, password }))
    const refreshed = await post(app, '/v1/refresh', { refresh_token })
    t.equal(refreshed.statusCode, 200)
    const statuses = new Map<number, number>()
    for (const reply of await Promise.all(logins)) {
      statuses.set(reply.statusCode, (statuses.get(reply.statusCode) ?? 0) + 1)
      if (reply.statusCode === 503) {
        t.equal(reply.headers['retry-after'], '1')
        t.match(reply.json(), { code: 'busy' })
      }
    }
    t.ok((statuses.get(200) ?? 0) >= 60, `answered: ${JSON.stringify([...statuses])}`)
  },
)

/** Takes every place of the queue until the function it returns is called. */
function fillQueue({ passwords }: Service) {
  const { promise, resolve } = Promise.withResolvers<void>()
  while (!passwords.full) passwords.admit(() => promise)
  return resolve
}

t.test('who is refused for want of a place is not taken for a guesser', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const { access_token } = await login(app, email)
  await app.db.query('DELETE FROM login_failures')
  await app.db.query('DELETE FROM rate_limits')
  const free = fillQueue(app)
  const change = () =>
    app.inject({
      method: 'POST',
      url: '/v1/me/password',
      headers: { authorization: `Bearer ${access_token}` },
      payload: { current_password: password, new_password: 'another battery' },
    })
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

t.test('an outdated hash costs no login its answer', async (t) => {
  const config = await createConfig(t)
  const email = await register(await startInstance(t, config))
  const app = await startInstance(t, { ...config, LATCHKEY_ARGON2_PASSES: 2 })
  const { verify } = app.passwords
  let free = () => {}
  t.intercept(app.passwords, 'verify', {
    value: async (hash: string, secret: string) => {
      const matches = await verify(hash, secret)
      free = fillQueue(app)
      return matches
    },
  })
  const hash = async () => (await app.db.query('SELECT password_hash FROM users')).rows[0]
  const before = await hash()
  await login(app, email)
  t.strictSame(await hash(), before, 'not replaced while others wait')
  free()
  t.intercept(app.passwords, 'hashAdmitted', {
    value: async () => {
      throw new Error('out of memory')
    },
  })
  t.intercept(app.passwords, 'verify', { value: verify })
  app.log.level = 'silent'
  await login(app, email)
})

t.test('the hash queue is bounded', async (t) => {
  const hasher = await createPasswordHasher({ memoryKib: 7_168, passes: 1 })
  const results = await Promise.allSettled(Array.from({ length: 200 }, () => hasher.hash('x')))
  const refused = results.filter(({ status }) => status === 'rejected')
  t.ok(refused.length > 0 && refused.length < 200, `${refused.length} of 200 refused`)
  t.equal(hasher.queued, 0)
})
