import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { createServer } from '../src/server.ts'

/** A server on a port, with a route that echoes its body, and a function that sends raw bytes. */
async function start(t: Test, LATCHKEY_ISSUER = 'https://sso.test') {
  const app = createServer({
    name: 'test',
    config: { LATCHKEY_INSTANCE: 'test-1', LATCHKEY_ISSUER, LATCHKEY_LOG_LEVEL: 'silent' },
  })
  t.teardown(() => app.close())
  const lines = t.capture(app.log, 'info')
  app.post('/echo', async ({ body }) => body)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as { port: number }
  const send = async (request: string) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(Buffer.from(request, 'latin1'))
    const answer = await text(socket)
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    return { status: Number(head.split(' ')[1]), head, body }
  }
  return { app, send, port, log: () => JSON.stringify(lines()) }
}

const close = 'Connection: close\r\n\r\n'

t.test('refuses a target or a Host that an edge may read otherwise, on every route', async (t) => {
  const { send } = await start(t)
  t.equal((await send(`GET /metrics HTTP/1.1\r\nHost: a\r\n${close}`)).status, 200)
  const host = 'Host: sso.example.com:443\r\n'
  const requests = [
    ['/metrics#x', host],
    ['/metrics?a#x', host],
    ['/metrics\\x', host],
    ['/metrics\xe9', host],
    ['/metrics"', host],
    ['/metrics\x01', host],
    ['http://sso.example.com/metrics', host],
    ['*', host],
    ['/metrics', `${host}Host: b\r\n`],
    ['/metrics', `${host}hOST: sso.example.com:443\r\n`],
    ['/metrics', 'Host: a@b\r\n'],
    ['/metrics', 'Host: a/b\r\n'],
    ['/metrics', 'Host: a, b\r\n'],
    ['/metrics', ''],
  ] as const
  for (const method of ['GET', 'POST']) {
    for (const [target, headers] of requests) {
      const label = `${method} ${JSON.stringify(target + headers)}`
      const { status, head, body } = await send(
        `${method} ${target} HTTP/1.1\r\n${headers}${close}`,
      )
      t.equal(status, 400, label)
      t.match(head.toLowerCase(), 'content-type: application/problem+json', label)
      t.match(head.toLowerCase(), 'cache-control: no-store', label)
      t.match(JSON.parse(body), { code: 'malformed_request', status: 400 }, label)
    }
  }
})

t.test('logs neither the fragment nor the query string of a target', async (t) => {
  const { send, log } = await start(t)
  await send(`GET /nothing#secret-1 HTTP/1.1\r\nHost: a\r\n${close}`)
  await send(`GET /nothing?secret-2 HTTP/1.1\r\nHost: a\r\n${close}`)
  t.match(log(), '/nothing')
  t.notMatch(log(), /secret/)
})

t.test('answers what is not HTTP, and headers that are too large, with a problem', async (t) => {
  const { send } = await start(t)
  const rubbish = await send('hello\r\n\r\n')
  t.equal(rubbish.status, 400)
  t.match(JSON.parse(rubbish.body), { code: 'malformed_request' })
  const large = await send(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n${close}`)
  t.equal(large.status, 431)
  t.match(JSON.parse(large.body), { code: 'headers_too_large' })
})

t.test('refuses every JSON body that is not UTF-8', async (t) => {
  const { app } = await start(t)
  const post = (payload: Buffer, type = 'application/json') =>
    app.inject({ method: 'POST', url: '/echo', headers: { 'content-type': type }, payload })
  const quoted = (...bytes: number[]) => Buffer.from([0x22, ...bytes, 0x22])
  for (const bytes of [
    [0xf6, 0xf6, 0xf6, 0xf6], // Latin-1
    [0xc3], // truncated
    [0xc0, 0xaf], // overlong
    [0xe0, 0x80, 0xaf], // overlong
    [0xed, 0xa0, 0x80], // surrogate
    [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80], // pair of surrogates (CESU-8)
    [0xf4, 0x90, 0x80, 0x80], // above U+10FFFF
    [0xff],
  ]) {
    for (const type of ['application/json', 'application/json; charset=iso-8859-1']) {
      const reply = await post(quoted(...bytes), type)
      t.equal(reply.statusCode, 400, bytes.join())
      t.match(reply.json(), { code: 'invalid_text' })
    }
  }
  t.equal((await post(Buffer.from('"ö🫖\ufffd"'))).body, 'ö🫖\ufffd')
})

t.test('ends a request that does not arrive within ten seconds', async (t) => {
  const { port } = await start(t)
  const slow = async (begin: string, tries = 3): Promise<{ answer: string; seconds: number }> => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(begin)
    const drip = setInterval(() => socket.write('1'), 500)
    const started = performance.now()
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk
    })
    await new Promise((closed) => socket.on('close', closed))
    clearInterval(drip)
    // What is written after the server has closed resets the connection, and may discard the answer.
    if (answer === '' && tries > 1) return slow(begin, tries - 1)
    return { answer, seconds: (performance.now() - started) / 1_000 }
  }
  const head = 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'
  for (const { answer, seconds } of await Promise.all([
    slow(`${head}Content-Length: 1000\r\n\r\n`),
    slow(`${head}X: `),
  ])) {
    t.match(answer, /^HTTP\/1.1 408 [\s\S]*"code":"request_timeout"/)
    t.ok(seconds > 9 && seconds < 25, `${seconds} s`)
  }
})

t.test('sends headers that make browsers use https only if the issuer uses it', async (t) => {
  for (const [issuer, isSecure] of [
    ['https://sso.test', true],
    ['http://sso.test', false],
  ] as const) {
    const { headers } = await (await start(t, issuer)).app.inject('/livez')
    t.equal('strict-transport-security' in headers, isSecure)
    t.equal(/upgrade/.test(String(headers['content-security-policy'])), isSecure)
  }
})

t.test('sends every answer with no-store unless a route sets its own', async (t) => {
  const { app } = await start(t)
  for (const url of ['/livez', '/readyz', '/metrics', '/nothing', '/%ZZ', '/echo']) {
    t.equal((await app.inject(url)).headers['cache-control'], 'no-store', url)
  }
})
