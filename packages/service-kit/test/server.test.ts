import { randomBytes } from 'node:crypto'
import { chmod } from 'node:fs/promises'
import { writeKeyFile } from '@latchkey/test-kit'
import { createVerifier, TokenError } from '@latchkey/verify'
import { latchkey } from '@latchkey/verify/fastify'
import t, { type Test } from 'tap'
import { Type } from 'typebox'
import { countVerifications } from '../src/authentication.ts'
import { keyring } from '../src/keyring.ts'
import { ProblemError } from '../src/problem.ts'
import { createServer } from '../src/server.ts'

const config = {
  LATCHKEY_INSTANCE: 'test-1',
  LATCHKEY_ISSUER: 'https://sso.test',
  LATCHKEY_LOG_LEVEL: 'silent',
} as const

async function start(t: Test) {
  const app = createServer({ name: 'test', config })
  t.teardown(() => app.close())
  await app.after()
  return app
}

t.test('names the instance in responses only if a setting asks for it', async (t) => {
  const named = createServer({
    name: 'test',
    config: { ...config, LATCHKEY_SERVED_BY_HEADER: true },
  })
  t.teardown(() => named.close())
  t.equal((await named.inject('/livez')).headers['x-served-by'], 'test-1')
  t.notOk((await (await start(t)).inject('/livez')).headers['x-served-by'])
})

t.test('names the request in every response', async (t) => {
  const app = await start(t)
  const made = await app.inject({ url: '/livez' })
  t.match(made.headers['x-request-id'], /^[0-9a-f-]{36}$/)
  const given = await app.inject({ url: '/livez', headers: { 'x-request-id': 'edge.1-a:b' } })
  t.equal(given.headers['x-request-id'], 'edge.1-a:b')
  for (const hostile of ['a b', 'x'.repeat(200), '<script>', 'a\tb']) {
    const reply = await app.inject({ url: '/livez', headers: { 'x-request-id': hostile } })
    t.not(reply.headers['x-request-id'], hostile)
  }
})

t.test('answers a bug with 500 and reveals nothing about it', async (t) => {
  const app = await start(t)
  app.get('/bug', async () => {
    throw new Error('password=hunter2 in /srv/app.ts')
  })
  const reply = await app.inject({ url: '/bug' })
  t.match(reply.json(), { status: 500, code: 'internal_error' })
  t.notMatch(reply.body, /hunter2|app\.ts/)
})

t.test('sends a problem with its headers and the request ID', async (t) => {
  const app = await start(t)
  app.get('/no', async () => {
    throw new ProblemError(503, 'busy', 'Come back.', { 'retry-after': '7' })
  })
  const reply = await app.inject({ url: '/no', headers: { 'x-request-id': 'abc' } })
  t.equal(reply.headers['retry-after'], '7')
  t.match(reply.headers['content-type'], 'application/problem+json')
  t.strictSame(reply.json(), {
    type: 'about:blank',
    title: 'Service Unavailable',
    status: 503,
    code: 'busy',
    detail: 'Come back.',
    request_id: 'abc',
  })
})

t.test('converts types in a query string but not in a body', async (t) => {
  const app = await start(t)
  const Numbers = Type.Object({ n: Type.Integer() }, { additionalProperties: false })
  app.post('/body', { schema: { body: Numbers } }, async ({ body }) => body)
  app.get('/query', { schema: { querystring: Numbers } }, async ({ query }) => query)
  const post = (payload: object) => app.inject({ method: 'POST', url: '/body', payload })
  t.equal((await post({ n: 1 })).statusCode, 200)
  t.match((await post({ n: '1' })).json(), {
    code: 'invalid_request',
    errors: [{ path: '/body/n', message: 'must be integer' }],
  })
  t.equal((await post({ n: 1, m: 2 })).statusCode, 400)
  t.strictSame((await app.inject({ url: '/query?n=1' })).json(), { n: 1 })
  t.equal((await app.inject({ url: '/query?n=1&m=2' })).statusCode, 400)
})

t.test('refuses JSON nested deeper than 32 levels without overflowing the stack', async (t) => {
  const app = await start(t)
  app.post('/any', async () => 'ok')
  const send = async (open: string, close: string, levels: number) => {
    const payload = `${open.repeat(levels)}${open === '[' ? '' : '1'}${close.repeat(levels)}`
    const headers = { 'content-type': 'application/json' }
    return app.inject({ method: 'POST', url: '/any', headers, payload })
  }
  for (const [open, close, most] of [
    ['[', ']', 30_000],
    ['{"a":', '}', 10_000],
  ] as const) {
    t.equal((await send(open, close, 32)).statusCode, 200)
    for (const levels of [33, most]) {
      t.match((await send(open, close, levels)).json(), { status: 400, code: 'invalid_text' })
    }
  }
})

t.test('reports failed checks in /readyz, and is unready only for required ones', async (t) => {
  const app = await start(t)
  app.readiness.add('good', async () => {})
  app.readiness.add(
    'optional',
    async () => {
      throw new Error('unavailable')
    },
    { required: false },
  )
  t.match((await app.inject({ url: '/readyz' })).json(), {
    status: 'ok',
    checks: { good: 'ok', optional: 'failed' },
  })
  app.readiness.add('needed', async () => {
    throw new Error('secret details')
  })
  const reply = await app.inject({ url: '/readyz' })
  t.equal(reply.statusCode, 503)
  t.match(reply.json(), { status: 'unavailable', checks: { needed: 'failed' } })
  t.notMatch(reply.body, /secret details/)
})

t.test('answers requests while draining, but closes connections and is not ready', async (t) => {
  const app = await start(t)
  app.get('/work', async () => 'done')
  app.readiness.drain()
  t.equal((await app.inject({ url: '/readyz' })).statusCode, 503)
  const reply = await app.inject({ url: '/work' })
  t.equal(reply.statusCode, 200)
  t.equal(reply.headers.connection, 'close')
})

t.test('hangs up on /livez while draining, so that a proxy picks another instance', async (t) => {
  const app = await start(t)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  t.strictSame(await (await fetch(`${url}/livez`)).json(), { status: 'ok' })
  app.readiness.drain()
  await t.rejects(fetch(`${url}/livez`), { cause: { code: 'UND_ERR_SOCKET' } })
  t.equal((await fetch(`${url}/readyz`)).status, 503)
})

t.test('warns of a world-readable key file', async (t) => {
  const { file } = writeKeyFile(t)
  const warnings: unknown[] = []
  const app = await start(t)
  t.intercept(app.log, 'warn', { value: (...args: unknown[]) => warnings.push(args) })
  await app.register(keyring, { file })
  t.equal(warnings.length, 0)
  await chmod(file, 0o644)
  const other = await start(t)
  t.intercept(other.log, 'warn', { value: (...args: unknown[]) => warnings.push(args) })
  await other.register(keyring, { file })
  t.match(warnings, [[{ file, mode: '644' }, /world-readable/]])
})

t.test('labels metrics by route pattern, so that clients cannot grow the registry', async (t) => {
  const app = await start(t)
  app.get('/things/:id', async () => 'x')
  for (let i = 0; i < 20; i += 1) {
    await app.inject({ url: `/things/${i}` })
    await app.inject({ url: `/unknown/${i}` })
  }
  const text = (await app.inject({ url: '/metrics' })).body
  t.match(text, /_count\{.*route="\/things\/:id",status="200".*\} 20/)
  t.match(text, /_count\{.*route="none",status="404".*\} 20/)
  t.notMatch(text, /unknown/)
})

t.test('logs the code of every refusal, of a token too', async (t) => {
  const app = createServer({ name: 'test', config })
  t.teardown(() => app.close())
  const lines: unknown[] = []
  app.setChildLoggerFactory((logger, bindings, options) => {
    const child = logger.child(bindings, options)
    return Object.assign(child, { info: (line: unknown) => lines.push(line) })
  })
  const options = { keys: randomBytes(32), issuer: 'https://sso.test', audience: 'orders' }
  await app.register(latchkey, options)
  app.get('/me', async () => 'ok')
  app.get('/maybe', { config: { public: true } }, async (request) => request.jwtVerify())
  await app.inject('/me')
  await app.inject({ url: '/me', headers: { authorization: 'Bearer x' } })
  await app.inject('/nowhere')
  await app.inject('/maybe')
  t.match(lines, [
    { status: 401, code: 'token_missing' },
    { status: 401, code: 'token_malformed' },
    { status: 401, code: 'token_missing' },
    { status: 401, code: 'token_missing' },
  ])
})

t.test('a counted verifier throws a new error for each refused token', async (t) => {
  const app = await start(t)
  const options = { keys: randomBytes(32), issuer: 'https://sso.test', audience: 'orders' }
  const verifier = countVerifications(createVerifier(options), app.metrics)
  const errors = [1, 2].map(() => {
    try {
      return verifier.verify('no token')
    } catch (err) {
      return err
    }
  })
  for (const err of errors) t.ok(err instanceof TokenError && !Object.isFrozen(err))
  t.not(errors[0], errors[1])
  t.match(
    await app.metrics.metrics(),
    /latchkey_tokens_refused_total\{code="token_malformed".*\} 2/,
  )
})
