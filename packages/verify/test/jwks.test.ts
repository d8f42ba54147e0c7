import type { RequestListener, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { latchkey } from '../src/fastify.ts'
import { createVerifier as createFetchVerifier } from '../src/fetch.ts'
import { createVerifier, type JwksOptions } from '../src/index.ts'
import { createTestKey, createTestKeyPair, mintToken } from '../src/testing.ts'
import { listen } from './listen.ts'

const names = { issuer: 'https://sso.example', audience: 'orders' }
const [first, second] = [createTestKeyPair('first'), createTestKeyPair('second')]
const secret = createTestKey('secret')
const mint = (key: typeof first | typeof secret) => mintToken({ ...names, key })

const toJwk = ({ kid, x, y }: typeof first, others: object = {}) => ({
  ...{ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig', kid, x, y },
  ...others,
})
const oct = {
  kty: 'oct',
  alg: 'HS256',
  kid: secret.kid,
  k: Buffer.from(secret.secret).toString('base64url'),
}

/** A server whose answer can be changed, and that counts the requests. */
async function serve(t: Test, keys: object[] = [toJwk(first)]) {
  const server = {
    requests: 0,
    url: '',
    answer: (res: ServerResponse): void => void res.end(JSON.stringify({ keys })),
  }
  const listener: RequestListener = (_req, res) => {
    server.requests += 1
    server.answer(res)
  }
  server.url = `${await listen(t, listener)}/.well-known/jwks.json`
  return server
}

function follow(t: Test, jwks: string, options: Partial<JwksOptions> = {}) {
  const errors: string[] = []
  const keys = { jwks, onError: (err: Error) => void errors.push(err.message), ...options }
  const verifier = createVerifier({ ...names, keys })
  t.teardown(() => verifier.jwks?.close())
  const codeOf = (token: string) => {
    const result = verifier.check(token)
    return result.ok ? 'ok' : `${result.error.status} ${result.error.code}`
  }
  return { verifier, errors, codeOf }
}

/** Stops the monotonic clock and the timers, which then move only when `pass` is called. */
function stopTime(t: Test): { pass: (ms: number) => void } {
  let nowMs = performance.now()
  const due = new Map<object, { atMs: number; run: () => void }>()
  const set = (run: (...args: unknown[]) => void, delayMs = 0, ...args: unknown[]) => {
    const refresh = () => timer
    const timer = { unref: refresh, ref: refresh, refresh, [Symbol.toPrimitive]: () => 0 }
    due.set(timer, { atMs: nowMs + delayMs, run: () => run(...args) })
    return timer
  }
  const { clearTimeout: clear } = globalThis
  t.intercept(performance, 'now', { value: () => nowMs })
  t.intercept(globalThis, 'setTimeout', { value: set })
  t.intercept(globalThis, 'clearTimeout', {
    value: (timer: NodeJS.Timeout) => due.delete(timer) || clear(timer),
  })
  const pass = (ms: number) => {
    nowMs += ms
    for (const [timer, { atMs, run }] of [...due]) {
      if (atMs <= nowMs && due.delete(timer)) run()
    }
  }
  return { pass }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5)
}

t.test('verifies with published keys, and answers 503 until they are known', async (t) => {
  const { url } = await serve(t)
  const { verifier, codeOf } = follow(t, url)
  t.equal(codeOf(mint(first)), '503 keys_unavailable')
  t.ok(await verifier.jwks?.catchUp())
  t.equal(codeOf(mint(first)), 'ok')
  t.equal(codeOf(mint(second)), '401 token_unknown_key')
  const forged = mintToken({ ...names, key: { ...secret, kid: first.kid } })
  t.equal(codeOf(forged), '401 token_algorithm')
})

t.test('unknown keys make it fetch, but not more often than every 10 s', async (t) => {
  const keys = [toJwk(first)]
  const server = await serve(t, keys)
  const time = stopTime(t)
  const { verifier, codeOf } = follow(t, server.url)
  await verifier.jwks?.catchUp()
  keys.push(toJwk(second))
  const token = mint(second)
  const flood = () => {
    for (let i = 0; i < 500; i++) {
      codeOf(mintToken({ ...names, key: { ...secret, kid: `unknown ${i}` } }))
      t.equal(codeOf(token), '401 token_unknown_key')
    }
  }
  flood()
  time.pass(9_900)
  flood()
  await sleep(100)
  t.equal(server.requests, 1)
  time.pass(1_200)
  await until(() => codeOf(token) === 'ok')
  t.equal(server.requests, 2)
  t.equal(codeOf(mint(first)), 'ok')
  time.pass(70_000)
  await until(() => server.requests === 3)
  time.pass(59_000)
  await sleep(100)
  t.equal(server.requests, 3, 'without unknown keys, it fetches once a minute')
  time.pass(8_000)
  await until(() => server.requests === 4)
})

t.test('keeps the last good keys, whatever the server answers', async (t) => {
  const elsewhere = await serve(t, [toJwk(second)])
  const keys: object[] = [toJwk(first)]
  const server = await serve(t, keys)
  const { answer: answerWell } = server
  const time = stopTime(t)
  const { verifier, errors, codeOf } = follow(t, server.url)
  await verifier.jwks?.catchUp()
  const good = toJwk(first)
  const json = (body: unknown) => (res: ServerResponse) => void res.end(JSON.stringify(body))
  const many = Array.from({ length: 101 }, (_, i) => toJwk(first, { kid: `k${i}` }))
  const rsa = { kty: 'RSA', use: 'sig', alg: 'RS256', kid: 'rsa', n: 'x', e: 'AQAB' }
  const endless = (res: ServerResponse) => {
    const timer = setInterval(() => res.write(' '.repeat(20_000)), 1)
    res.on('close', () => clearInterval(timer))
  }
  // biome-ignore format: a table
  const answers: [what: string, answer: (res: ServerResponse) => void, message: RegExp][] = [
    ['an error',             (res) => void res.writeHead(500).end(), /answered 500/],
    ['nothing new',          (res) => void res.writeHead(304).end(), /answered 304/],
    ['a redirect',           (res) => void res.writeHead(302, { location: elsewhere.url }).end(), /answered 302/],
    ['a permanent redirect', (res) => void res.writeHead(308, { location: elsewhere.url }).end(), /answered 308/],
    ['a closed connection',  (res) => void res.destroy(), /fetch failed/],
    ['no JSON',              (res) => void res.end('<html>'), /not a JWK Set/],
    ['nothing',              (res) => void res.end(), /it is empty/],
    ['another document',     json({ issuer: 'x' }), /not a JWK Set/],
    ['a secret',             json({ keys: [good, oct] }), /key 2 is not a public key/],
    ['a secret of another use', json({ keys: [good, { ...oct, use: 'latchkey:root' }] }), /key 2 is not a public key/],
    ['a secret of no kind',  json({ keys: [good, { kid: 'x', k: oct.k }] }), /key 2 is not a public key/],
    ['a private key',        json({ keys: [good, toJwk(second, { d: second.d })] }), /key 2 is not a public key/],
    ['a private RSA key',    json({ keys: [good, { ...rsa, d: 'AQAB' }] }), /key 2 is not a public key/],
    ['a point elsewhere',    json({ keys: [good, toJwk(second, { y: second.x })] }), /not a point of P-256/],
    ['another curve',        json({ keys: [good, toJwk(second, { crv: 'P-384' })] }), /crv must be "P-256"/],
    ['two keys with one ID', json({ keys: [good, toJwk(second, { kid: first.kid })] }), /two keys have the kid/],
    ['too many keys',        json({ keys: many }), /more than 100 keys/],
    ['more than 64 KiB',     (res) => void res.end(' '.repeat(70_000)), /more than 65536 bytes/],
    ['an endless answer',    endless, /more than 65536 bytes/],
  ]
  const token = mint(second)
  for (const [what, answer, message] of answers) {
    server.answer = answer
    errors.length = 0
    time.pass(70_000)
    await until(() => errors.length > 0)
    t.match(errors[0], message, what)
    t.match(errors[0], server.url, `${what}: the message names the address`)
    t.notMatch(errors[0], oct.k, `${what}: the message contains no secret`)
    t.equal(codeOf(mint(first)), 'ok', what)
    t.equal(codeOf(token), '401 token_unknown_key', what)
    server.answer = answerWell
    const next = createTestKeyPair(`after ${what}`)
    keys[1] = toJwk(next)
    time.pass(70_000)
    await until(() => codeOf(mint(next)) === 'ok')
  }
  t.equal(elsewhere.requests, 0, 'no redirect is followed')
  server.answer = json({ keys: [rsa, toJwk(second)] })
  time.pass(70_000)
  await until(() => codeOf(token) === 'ok')
  t.equal(codeOf(mint(first)), '401 token_unknown_key', 'a key that is gone is forgotten')
})

t.test('reports each error once, and new keys', async (t) => {
  const keys = [toJwk(first)]
  const server = await serve(t, keys)
  const { answer } = server
  const time = stopTime(t)
  const reloads: string[][] = []
  const { verifier, errors } = follow(t, server.url, {
    onReload: ({ keys }) => void reloads.push(keys.map(({ kid }) => kid)),
  })
  await verifier.jwks?.catchUp()
  const token = mint(first)
  const before = verifier.check(token)
  const askAgain = async () => {
    const { requests } = server
    time.pass(70_000)
    await until(() => server.requests > requests)
    await sleep(50)
  }
  server.answer = (res) => void res.writeHead(500).end()
  await askAgain()
  await askAgain()
  t.equal(errors.length, 1)
  server.answer = answer
  await askAgain()
  t.strictSame(reloads, [['first']], 'the same keys again are not new')
  t.equal(verifier.check(token), before, 'and empty no cache')
  server.answer = (res) => void res.writeHead(500).end()
  await askAgain()
  t.equal(errors.length, 2)
  server.answer = answer
  keys.push(toJwk(second))
  await askAgain()
  t.strictSame(reloads, [['first'], ['first', 'second']])
})

t.test('close ends a fetch that is under way, and starts no other', async (t) => {
  const server = await serve(t)
  const isClosed = Promise.withResolvers<void>()
  server.answer = (res) => void res.on('close', isClosed.resolve)
  const time = stopTime(t)
  const { verifier, errors } = follow(t, server.url)
  await until(() => server.requests === 1)
  verifier.jwks?.close()
  await isClosed.promise
  time.pass(100_000)
  await sleep(50)
  t.equal(server.requests, 1)
  t.strictSame(errors, [])
})

t.test('forgets the keys when the server publishes none', async (t) => {
  const rsa = { kty: 'RSA', use: 'sig', alg: 'RS256', kid: 'r', n: 'x', e: 'AQAB' }
  // biome-ignore format: a table
  const answers: [what: string, keys: object[]][] = [
    ['no keys',                     []],
    ['keys of other kinds',         [rsa]],
    ['keys for encryption',         [toJwk(first, { use: 'enc' })]],
    ['keys that name no algorithm', [toJwk(first, { alg: undefined })]],
  ]
  const time = stopTime(t)
  for (const [what, keys] of answers) {
    const server = await serve(t)
    const { answer } = server
    const verifier = createFetchVerifier({ ...names, keys: { jwks: server.url, onError() {} } })
    const codeOf = async () => {
      const result = await verifier.check(mint(first))
      return result.ok || result.error.code
    }
    t.equal(await codeOf(), true, what)
    server.answer = (res) => void res.end(JSON.stringify({ keys }))
    time.pass(61_000)
    t.equal(await codeOf(), 'keys_unavailable', what)
    server.answer = answer
    time.pass(61_000)
    t.equal(await codeOf(), true, `after ${what}`)
  }
})

t.test('a server that does not answer holds up nothing, and catchUp has an end', async (t) => {
  const server = await serve(t)
  server.answer = () => {}
  const { verifier, codeOf } = follow(t, server.url)
  t.notOk(await verifier.jwks?.catchUp(50))
  t.equal(codeOf(mint(first)), '503 keys_unavailable')
})

t.test('tries again soon until the first keys have arrived', async (t) => {
  const server = await serve(t)
  const { answer } = server
  server.answer = (res) => void res.writeHead(503).end()
  const { verifier, codeOf } = follow(t, server.url)
  await until(() => server.requests >= 3)
  server.answer = answer
  t.ok(await verifier.jwks?.catchUp(60_000))
  t.equal(codeOf(mint(first)), 'ok')
})

t.test('the fetch entry fetches when a token is verified, and then once a minute', async (t) => {
  const keys = [toJwk(first)]
  const server = await serve(t, keys)
  const time = stopTime(t)
  const warnings: unknown[] = []
  t.intercept(console, 'warn', { value: (message: unknown) => warnings.push(message) })
  const verifier = createFetchVerifier({ ...names, keys: { jwks: server.url } })
  t.equal(server.requests, 0, 'nothing is sent when it is created')
  for (let i = 0; i < 5; i++) t.ok((await verifier.check(mint(first))).ok)
  t.match(await verifier.check(mint(second)), { error: { code: 'token_unknown_key' } })
  t.equal(server.requests, 1)
  keys.push(toJwk(second))
  time.pass(11_000)
  t.ok((await verifier.check(mint(second))).ok)
  t.equal(server.requests, 2)
  server.answer = (res) => void res.destroy()
  time.pass(61_000)
  for (let i = 0; i < 5; i++) t.ok((await verifier.check(mint(first))).ok, 'the last stay in use')
  t.equal(server.requests, 3)
  t.match(warnings, [/fetch failed/])
})

t.test('without keys, the fetch entry tries again once a second', async (t) => {
  const server = await serve(t)
  const { answer } = server
  server.answer = (res) => void res.writeHead(503).end()
  const time = stopTime(t)
  const keys = { jwks: server.url, onError: () => {} }
  const verifier = createFetchVerifier({ ...names, keys })
  for (let i = 0; i < 5; i++) {
    t.match(await verifier.check(mint(first)), { error: { code: 'keys_unavailable', status: 503 } })
  }
  t.equal(server.requests, 1)
  server.answer = answer
  time.pass(1_100)
  t.ok((await verifier.check(mint(first))).ok)
})

t.test('a Fastify server waits for the keys before it is ready', async (t) => {
  const server = await serve(t)
  const { answer } = server
  server.answer = (res) => void setTimeout(() => answer(res), 300)
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(latchkey, { ...names, keys: { jwks: server.url } })
  app.get('/me', async (request) => request.user.sub)
  await app.ready()
  const headers = { authorization: `Bearer ${mint(first)}` }
  t.equal((await app.inject({ url: '/me', headers })).statusCode, 200)
})

t.test('a Fastify server starts without keys, and answers 503', async (t) => {
  const server = await serve(t)
  server.answer = () => {}
  const app = Fastify({ pluginTimeout: 500 })
  t.teardown(() => app.close())
  await app.register(latchkey, { ...names, keys: { jwks: server.url } })
  app.get('/me', async (request) => request.user.sub)
  await app.ready()
  const reply = await app.inject({
    url: '/me',
    headers: { authorization: `Bearer ${mint(first)}` },
  })
  t.match(reply.json(), { status: 503, code: 'keys_unavailable' })
  t.equal(reply.headers['www-authenticate'], undefined)
})

t.test('refuses an address that an attacker on the way could answer for', async (t) => {
  const create = (keys: object) => () => createVerifier({ ...names, keys: keys as JwksOptions })
  for (const jwks of ['http://sso.example/jwks', 'http://auth', 'ftp://localhost', 'x', '', 5]) {
    t.throws(create({ jwks }), { name: 'TypeError', message: /must be an https URL/ }, String(jwks))
  }
  for (const host of ['localhost.evil.example', '127.0.0.1.evil.example', 'evil.localhost']) {
    t.throws(create({ jwks: `http://${host}` }), { name: 'TypeError' }, host)
  }
  t.throws(create({ jwks: 'https://user:secret@a.example' }), /must not contain a password/)
  t.throws(create({ jwks: 'https://a.example', url: 'x' }), /unknown option "url"/)
  t.throws(create({ jwks: 'https://a.example', onError: 'x' }), /onError must be a function/)
  const revocations = { url: 'https://sso.example/auth' }
  const keys = { jwks: 'https://sso.example/auth/.well-known/jwks.json' }
  for (const make of [createVerifier, createFetchVerifier]) {
    t.throws(() => make({ ...names, keys, revocations }), /public keys cannot poll/)
  }
})
