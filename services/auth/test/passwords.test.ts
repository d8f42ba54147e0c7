import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Service } from '@latchkey/service-kit'
import t, { type Test } from 'tap'
import type { AuthConfig } from '../src/config.ts'
import { estimateGuesses } from '../src/passwords/strength.ts'
import { as, hasherOf, login, password, post, register, startAuth } from './support.ts'

const email = 'ada.lovelace@example.com'

/** Registers the address with a password; the code of the refusal, or 201. */
async function tryPassword(app: Service, password: string, address = email) {
  await app.db.query('DELETE FROM users')
  const reply = await post(app, '/v1/register', { email: address, password })
  return reply.statusCode === 201 ? 201 : reply.json().code
}

t.test('refuses passwords that are easy to guess, and accepts others', async (t) => {
  const app = await startAuth(t)
  const common = [
    'password123',
    'qwertyuiop',
    'Summer2024!',
    'letmein1',
    'P@ssw0rd2024',
    'London2024!',
    'Michael1985',
    '19900201',
    'drowssap',
    'a'.repeat(256),
    'password'.repeat(32),
  ]
  for (const word of common) t.equal(await tryPassword(app, word), 'password_common', word)
  const accepted = [
    'correct horse battery',
    '7febd33f-a11d-4bb7-be68-7108f1aac299',
    'kdjfhwuqpzmxnca',
    'xk7qvz2m',
    '__proto__ toString',
    'Пётр пьёт чай',
    '🐎🔋📎🐎🔋📎✅🔑',
    'f0e1d2c3b4a59687'.repeat(16),
  ]
  for (const word of accepted) t.equal(await tryPassword(app, word), 201, word)
})

t.test('refuses a password that contains the address or the name of the product', async (t) => {
  const app = await startAuth(t, { LATCHKEY_PRODUCT_NAME: 'Acme Shop' })
  for (const [word, address, code] of [
    ['ada.lovelace plays the violin', email, 'password_contains_email'],
    ['violin of ADA.Lovelace!', email, 'password_contains_email'],
    ['\uff41\uff44\uff41.lovelace plays violin', email, 'password_contains_email'],
    ['violin ada.lovelace@example.com', email, 'password_contains_email'],
    ['violin bo@example.com', 'bo@example.com', 'password_contains_email'],
    ['a bobsleigh in bolivia', 'bo@example.com', 201],
    ['example.com plays violin', email, 201],
    ['violin at the ACME shop', email, 'password_contains_product'],
    ['violin at acmeshop', email, 'password_contains_product'],
    ['violin at the acme', email, 201],
  ] as const) {
    t.equal(await tryPassword(app, word, address), code, word)
  }
})

t.test('ignores a product name that is empty or part of many passwords', async (t) => {
  for (const name of ['', 'or']) {
    t.equal(await tryPassword(await startAuth(t, { LATCHKEY_PRODUCT_NAME: name }), password), 201)
  }
})

t.test('counts the characters of the normalized password, and names the minimum', async (t) => {
  const app = await startAuth(t, { LATCHKEY_PASSWORD_MIN_LENGTH: 15 })
  const reply = await post(app, '/v1/register', { email, password: 'violin clarine' })
  t.match(reply.json(), {
    status: 400,
    code: 'password_too_short',
    detail: 'Use a password of at least 15 characters.',
  })
  t.equal(await tryPassword(app, 'violin clarinet'), 201)
  t.equal(
    await tryPassword(app, '🐎🔋📎🔑🎻🚲🍋'.repeat(2)),
    'password_too_short',
    'not UTF-16 units',
  )
  t.equal(await tryPassword(app, 'violin clarine\u0301'), 'password_too_short', 'a composed é')
  t.equal(await tryPassword(app, '\ufb01\ufb01violin clar'), 201, 'two letters each')
})

t.test('refuses a new password before it verifies the current one or hashes', async (t) => {
  const app = await startAuth(t)
  const { access_token } = await login(app, await register(app))
  await app.db.query('DELETE FROM login_failures')
  const hasher = await hasherOf(app)
  const calls = [t.capture(hasher, 'verify', hasher.verify), t.capture(hasher, 'hash', hasher.hash)]
  for (const current_password of [password, 'wrong horse battery']) {
    const change = { current_password, new_password: 'Summer2024!' }
    const reply = await as(app, access_token, 'POST', '/v1/me/password', change)
    t.match(reply.json(), { status: 400, code: 'password_common' })
  }
  t.equal(await tryPassword(app, 'password123', 'bo@example.com'), 'password_common')
  for (const call of calls) t.strictSame(call.args(), [])
  t.strictSame((await app.db.query('SELECT * FROM login_failures')).rows, [])
})

t.test('limits how often a user may have new passwords checked', async (t) => {
  const app = await startAuth(t)
  const { access_token } = await login(app, await register(app))
  await app.db.query('DELETE FROM rate_limits')
  const change = { current_password: password, new_password: 'Summer2024!' }
  const replies = await Promise.all(
    Array.from({ length: 61 }, () => as(app, access_token, 'POST', '/v1/me/password', change)),
  )
  t.equal(replies.filter((reply) => reply.json().code === 'rate_limited').length, 1)
})

t.test('refuses passwords beyond a bounded queue, and checks the rest', async (t) => {
  const results = await Promise.allSettled(
    Array.from({ length: 100 }, () => estimateGuesses('0'.repeat(64))),
  )
  const refused = results.filter(({ status }) => status === 'rejected')
  t.ok([35, 36].includes(refused.length), `${refused.length} refused`)
  for (const { reason } of refused as PromiseRejectedResult[]) t.match(reason, { code: 'busy' })
  t.ok((await estimateGuesses('password123')) < 1e3)
})

/** A range service, for as long as the test. */
async function startRanges(t: Test, handle: RequestListener): Promise<string> {
  const server = createServer(handle).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const startWithRanges = async (t: Test, handle: RequestListener, more: Partial<AuthConfig> = {}) =>
  startAuth(t, { LATCHKEY_BREACHED_PASSWORDS_URL: await startRanges(t, handle), ...more })

const hashOf = (word: string) => createHash('sha1').update(word).digest('hex').toUpperCase()
const other = `${'0'.repeat(34)}A:7`

/** The checks by result. */
async function countChecks(app: Service): Promise<Record<string, number>> {
  const metric = app.metrics.getSingleMetric('latchkey_breached_password_checks_total')
  const { values } = (await metric?.get()) ?? { values: [] }
  return Object.fromEntries(values.map(({ labels, value }) => [labels.result, value]))
}

t.test(
  'refuses a password that a range service knows; a padded entry does not count',
  async (t) => {
    const known = 'violin of a thousand breaches'
    const padded = 'violin of no breach at all'
    const requests: unknown[] = []
    const app = await startWithRanges(t, ({ method, url = '', headers }, response) => {
      requests.push([method, url, headers['add-padding']])
      const lines = [[known, 12] as const, [padded, 0] as const]
        .filter(([word]) => url.endsWith(hashOf(word).slice(0, 5)))
        .map(([word, count]) => `${hashOf(word).slice(5)}:${count}`)
      response.end([other, ...lines].join('\r\n'))
    })
    t.equal(await tryPassword(app, known), 'password_breached')
    t.equal(await tryPassword(app, padded), 201)
    t.equal(await tryPassword(app, 'password123'), 'password_common', 'not looked up')
    t.equal(await tryPassword(app, password), 201)
    const path = (word: string) => `/range/${hashOf(word).slice(0, 5)}`
    t.strictSame(
      requests,
      [known, padded, password].map((word) => ['GET', path(word), 'true']),
    )
    t.strictSame(await countChecks(app), { ok: 2, breached: 1 })
    const { access_token } = await login(app, email)
    const change = { current_password: password, new_password: known }
    const reply = await as(app, access_token, 'POST', '/v1/me/password', change)
    t.match(reply.json(), { status: 400, code: 'password_breached' })
  },
)

t.test('looks up the normalized password at a URL with a path', async (t) => {
  const urls: unknown[] = []
  const base = await startRanges(t, ({ url }, response) => {
    urls.push(url)
    response.end(other)
  })
  const app = await startAuth(t, { LATCHKEY_BREACHED_PASSWORDS_URL: `${base}/mirror/` })
  t.equal(await tryPassword(app, 'violin cafe\u0301 lemon'), 201)
  t.strictSame(urls, [`/mirror/range/${hashOf('violin caf\u00e9 lemon').slice(0, 5)}`])
})

t.test('accepts and counts a password when the range service does not answer', async (t) => {
  const found = `${hashOf(password).slice(5)}:9`
  const answers: Record<string, RequestListener> = {
    hangs: () => {},
    'hangs in the middle': (_request, response) => response.write(`${other}\r\n`),
    'closes the connection': ({ socket }) => socket.destroy(),
    'answers 500': (_request, response) => response.writeHead(500).end(found),
    'answers 404': (_request, response) => response.writeHead(404).end(found),
    'sends a page': (_request, response) => response.end(`<html>\n${found}\n</html>`),
    'sends nothing': (_request, response) => response.end(),
    'sends bytes': (_request, response) => response.end(Buffer.alloc(1_000, 0xff)),
    'sends megabytes': (_request, response) =>
      response.end(`${found}\r\n${`${other}\r\n`.repeat(200_000)}`),
    redirects: ({ url }, response) =>
      url?.startsWith('/range/')
        ? response.writeHead(302, { location: '/elsewhere' }).end()
        : response.end(found),
  }
  for (const [what, handle] of Object.entries(answers)) {
    const app = await startWithRanges(t, handle, { LATCHKEY_LOG_LEVEL: 'fatal' })
    t.equal(await tryPassword(app, password), 201, what)
    t.strictSame(await countChecks(app), { failed: 1 }, what)
  }
})

t.test('accepts a password when the range service refuses connections', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  const url = `http://127.0.0.1:${port}`
  const app = await startAuth(t, {
    LATCHKEY_BREACHED_PASSWORDS_URL: url,
    LATCHKEY_LOG_LEVEL: 'fatal',
  })
  t.equal(await tryPassword(app, password), 201)
  t.strictSame(await countChecks(app), { failed: 1 })
})

t.test('asks no service when none is configured', async (t) => {
  const app = await startAuth(t)
  t.equal(await tryPassword(app, password), 201)
  t.strictSame(await countChecks(app), {})
})
