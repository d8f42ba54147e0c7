import { once } from 'node:events'
import { createServer, type RequestListener, request as send } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { badRequestKinds, sendBadRequest } from '@latchkey/test-kit/bad-clients'
import t, { type Test } from 'tap'
import { createEdge, type EdgeOptions } from '../src/edge/edge.ts'
import type { UpstreamAddress } from '../src/edge/upstreams.ts'

/** An instance that answers `/livez`, and handles other requests as given. */
async function startUpstream(t: Test, name: string, handle: RequestListener) {
  const server = createServer((request, response) => {
    if (request.url === '/livez') return response.end()
    response.setHeader('x-served-by', name)
    handle(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  return { name, origin: `http://127.0.0.1:${port}`, server }
}

async function startEdge(t: Test, orders: UpstreamAddress[], options: EdgeOptions = {}) {
  const edge = createEdge(options)
  await edge.route({ orders })
  edge.server.listen(0, '127.0.0.1')
  await once(edge.server, 'listening')
  t.teardown(async () => {
    edge.server.closeAllConnections()
    await edge.close()
  })
  const { port } = edge.server.address() as AddressInfo
  return { edge, port, url: `http://127.0.0.1:${port}` }
}

/** An address that refuses connections. */
async function closedAddress(name: string): Promise<UpstreamAddress> {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return { name, origin: `http://127.0.0.1:${port}` }
}

/** An instance that reads a request and drops the connection, also for `/livez`. */
async function startDropper(t: Test, name: string) {
  let requests = 0
  const server = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (data) => {
      if (!data.includes('/livez')) requests += 1
      socket.destroy()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  return { name, origin: `http://127.0.0.1:${port}`, requests: () => requests }
}

const servedBy = (response: Response) => response.headers.get('x-served-by')
const echoBody: RequestListener = (request, response) => void request.pipe(response)
const answerOk: RequestListener = (_request, response) => void response.end('ok')

t.test('uses the instances strictly in turn and removes the prefix', async (t) => {
  const seen: (string | undefined)[] = []
  const upstreams = await Promise.all(
    ['orders-1', 'orders-2', 'orders-3'].map((name) =>
      startUpstream(t, name, (request, response) => {
        seen.push(request.url)
        response.end()
      }),
    ),
  )
  const { url } = await startEdge(t, upstreams)
  const names: (string | null)[] = []
  for (let call = 0; call < 6; call++) names.push(servedBy(await fetch(`${url}/orders/a?b=c`)))
  t.strictSame(
    names,
    [1, 2, 3, 1, 2, 3].map((n) => `orders-${n}`),
  )
  await fetch(`${url}/orders`)
  await fetch(`${url}/orders?b=c`)
  t.strictSame(seen, [...Array(6).fill('/a?b=c'), '/', '/?b=c'])
})

t.test('answers 404 with a code and the request ID for a path of no service', async (t) => {
  const { url } = await startEdge(t, [])
  for (const path of ['/', '/ordersx/a', '/__proto__/a', '//orders/a']) {
    const response = await fetch(url + path, { headers: { 'x-request-id': 'known-1' } })
    t.equal(response.status, 404)
    t.match(response.headers.get('content-type'), 'application/problem+json')
    t.match(await response.json(), { status: 404, code: 'route_unknown', request_id: 'known-1' })
  }
})

t.test('sets the forwarding headers and drops hop-by-hop headers in both directions', async (t) => {
  let raw: string[] = []
  const upstream = await startUpstream(t, 'orders-1', (request, response) => {
    raw = request.rawHeaders
    response.setHeader('connection', 'x-private')
    response.setHeader('x-private', 'hop')
    response.setHeader('set-cookie', ['a=1', 'b=2'])
    response.end()
  })
  const { url, port } = await startEdge(t, [upstream])
  // biome-ignore format: pairs
  const headers = [
      'Host', 'sso.example.com', 'X-Forwarded-For', '203.0.113.9', 'X-Real-IP', '203.0.113.9',
      'Forwarded', 'for=203.0.113.9', 'X-Forwarded-Proto', 'https', 'TE', 'trailers',
      'Connection', 'x-secret-hop', 'X-Secret-Hop', '1', 'X-Request-ID', 'bad id\t',
      'Authorization', 'Bearer one', 'Authorization', 'Bearer two', 'X-Kept', 'yes',
    ]
  const [reply] = await once(send({ port, path: '/orders/', headers }).end(), 'response')
  reply.resume()
  t.equal(reply.statusCode, 200)
  t.equal(reply.headers['x-private'], undefined)
  t.strictSame(reply.headers['set-cookie'], ['a=1', 'b=2'])
  const pairs = raw.flatMap((name, at) => (at % 2 ? [] : [[name.toLowerCase(), raw[at + 1]]]))
  const values = (wanted: string) => pairs.filter(([name]) => name === wanted).map(([, v]) => v)
  t.strictSame(values('x-forwarded-for'), ['127.0.0.1'])
  t.strictSame(values('x-forwarded-proto'), ['http'])
  t.strictSame(values('x-forwarded-host'), ['sso.example.com'])
  t.strictSame(values('authorization'), ['Bearer one', 'Bearer two'], 'repeated fields stay')
  t.strictSame(values('x-kept'), ['yes'])
  for (const name of ['x-real-ip', 'forwarded', 'te', 'x-secret-hop'])
    t.strictSame(values(name), [])
  t.match(values('x-request-id'), [/^[0-9a-f-]{36}$/], 'an unsafe request ID is replaced')
  const kept = await fetch(`${url}/orders/`, { headers: { 'x-request-id': 'trace:1.a' } })
  t.equal(kept.headers.get('x-request-id'), 'trace:1.a')
})

t.test('repeats any method and body elsewhere after a refused connection', async (t) => {
  const dead = await closedAddress('orders-1')
  const alive = await startUpstream(t, 'orders-2', echoBody)
  const { url } = await startEdge(t, [dead, alive])
  for (const method of ['POST', 'GET', 'DELETE', 'PUT']) {
    const body = method === 'POST' || method === 'PUT' ? 'x'.repeat(60_000) : null
    const response = await fetch(`${url}/orders/`, { method, body })
    t.equal(response.status, 200)
    t.equal(await response.text(), body ?? '')
  }
})

t.test('repeats a lost GET on another instance, and never a lost POST', async (t) => {
  const dropper = await startDropper(t, 'orders-1')
  let posts = 0
  const alive = await startUpstream(t, 'orders-2', (request, response) => {
    if (request.method === 'POST') posts += 1
    response.end('ok')
  })
  const { url } = await startEdge(t, [dropper, alive], { checkIntervalMs: 60_000 })
  t.equal(await (await fetch(`${url}/orders/`)).text(), 'ok')
  t.equal(dropper.requests(), 1)
  const edge = await startEdge(t, [dropper, alive], { checkIntervalMs: 60_000 })
  const response = await fetch(`${edge.url}/orders/`, { method: 'POST', body: 'order' })
  t.equal(response.status, 502)
  t.match(await response.json(), { code: 'upstream_interrupted' })
  t.equal(posts, 0)
  const getWithBody = await startEdge(t, [dropper, alive], { checkIntervalMs: 60_000 })
  const lost = send({ port: getWithBody.port, path: '/orders/', headers: { 'content-length': 2 } })
  lost.end('{}')
  const [reply] = await once(lost, 'response')
  t.equal(reply.statusCode, 502, 'a GET with a body is not repeated')
})

t.test('answers 503 with retry-after when no instance is reachable', async (t) => {
  const { url } = await startEdge(t, [
    await closedAddress('orders-1'),
    await closedAddress('orders-2'),
  ])
  for (const method of ['GET', 'POST']) {
    const response = await fetch(`${url}/orders/`, { method })
    t.equal(response.status, 503)
    t.equal(response.headers.get('retry-after'), '1')
    t.match(await response.json(), { code: 'upstream_unavailable' })
  }
})

t.test('skips a dead instance until it answers its health check', async (t) => {
  const alive = await startUpstream(t, 'orders-2', answerOk)
  const reborn = await startUpstream(t, 'orders-1', answerOk)
  const { port } = reborn.server.address() as AddressInfo
  reborn.server.close()
  const failures: string[] = []
  const { url } = await startEdge(t, [reborn, alive], {
    checkIntervalMs: 50,
    onEvent: (event) => failures.push(event.upstream),
  })
  for (let call = 0; call < 6; call++) t.equal(servedBy(await fetch(`${url}/orders/`)), 'orders-2')
  t.ok(failures.length <= 1, 'it is not tried every time')
  reborn.server.listen(port, '127.0.0.1')
  await sleep(200)
  const names = [await fetch(`${url}/orders/`), await fetch(`${url}/orders/`)].map(servedBy)
  t.strictSame(names.sort(), ['orders-1', 'orders-2'])
})

t.test(
  'a frozen instance delays a read until its checks fail, and no POST is repeated',
  async (t) => {
    const frozen = createTcpServer(() => {}).listen(0, '127.0.0.1')
    await once(frozen, 'listening')
    t.teardown(() => frozen.close())
    const { port } = frozen.address() as AddressInfo
    const methods: (string | undefined)[] = []
    const alive = await startUpstream(t, 'orders-2', (request, response) => {
      methods.push(request.method)
      response.end()
    })
    const { url } = await startEdge(
      t,
      [{ name: 'orders-1', origin: `http://127.0.0.1:${port}` }, alive],
      { checkIntervalMs: 100 },
    )
    const leaving = new AbortController()
    const post = { method: 'POST', body: 'order', signal: leaving.signal }
    const posting = t.rejects(fetch(`${url}/orders/`, post))
    const read = async () => t.equal(servedBy(await fetch(`${url}/orders/`)), 'orders-2')
    await Promise.all([read(), read(), read(), read()])
    for (let call = 0; call < 4; call++) await read()
    leaving.abort()
    await posting
    t.strictSame(methods, Array(8).fill('GET'))
  },
)

t.test('streams a response no faster than the client reads it', async (t) => {
  const chunk = Buffer.alloc(1024 * 1024, 'a')
  let sent = 0
  const upstream = await startUpstream(t, 'orders-1', (_request, response) => {
    const body = new Readable({ read: () => void body.push(sent++ < 128 ? chunk : null) })
    body.pipe(response)
  })
  const { url } = await startEdge(t, [upstream])
  const response = await fetch(`${url}/orders/`)
  await sleep(500)
  t.ok(sent < 64, `of 128 MB, ${sent} are sent while nobody reads`)
  let received = 0
  for await (const part of response.body ?? []) received += part.length
  t.equal(received, 128 * chunk.length)
})

t.test('forwards a slow body, and drops a request whose client leaves', async (t) => {
  let requests = 0
  const upstream = await startUpstream(t, 'orders-1', (request, response) => {
    requests += 1
    request.pipe(response)
  })
  const { url, port } = await startEdge(t, [upstream])
  const body = new ReadableStream({
    async start(controller) {
      for (const part of ['one ', 'two ', 'three']) {
        controller.enqueue(Buffer.from(part))
        await sleep(50)
      }
      controller.close()
    },
  })
  const response = await fetch(`${url}/orders/`, { method: 'POST', body, duplex: 'half' })
  t.equal(await response.text(), 'one two three')
  const leaving = send({
    port,
    path: '/orders/',
    method: 'POST',
    headers: { 'content-length': 9 },
  })
  leaving.on('error', () => {})
  leaving.write('half')
  await sleep(100)
  leaving.destroy()
  await sleep(100)
  t.equal(requests, 1, 'an incomplete request reaches no instance')
})

t.test('answers 413 to a body over the limit, with or without a declared length', async (t) => {
  const upstream = await startUpstream(t, 'orders-1', echoBody)
  const { url } = await startEdge(t, [upstream], { maxBodyBytes: 1_000 })
  const declared = await fetch(`${url}/orders/`, { method: 'POST', body: 'x'.repeat(10_000_000) })
  t.equal(declared.status, 413)
  t.match(await declared.json(), { code: 'body_too_large' })
  const body = new Blob(['x'.repeat(2_000)]).stream()
  const chunked = await fetch(`${url}/orders/`, { method: 'POST', body, duplex: 'half' })
  t.equal(chunked.status, 413)
  t.equal((await fetch(`${url}/orders/`, { method: 'POST', body: 'small' })).status, 200)
})

t.test('delivers a response that the instance sends before it reads the body', async (t) => {
  const upstream = await startUpstream(t, 'orders-1', (_request, response) => {
    response.writeHead(401).end('no')
  })
  const { url } = await startEdge(t, [upstream])
  for (let call = 0; call < 5; call++) {
    const body = 'x'.repeat(64 * 1024)
    const response = await fetch(`${url}/orders/`, { method: 'POST', body })
    t.equal(response.status, 401)
    t.equal(await response.text(), 'no')
  }
})

t.test('answers 504 to a timeout and does not repeat the request', async (t) => {
  let requests = 0
  const slow: RequestListener = () => {
    requests += 1
  }
  const upstreams = [
    await startUpstream(t, 'orders-1', slow),
    await startUpstream(t, 'orders-2', slow),
  ]
  const { url } = await startEdge(t, upstreams, { headersTimeoutMs: 300 })
  const response = await fetch(`${url}/orders/`)
  t.equal(response.status, 504)
  t.match(await response.json(), { code: 'upstream_timeout' })
  t.equal(requests, 1)
})

t.test('cuts the response short when the instance does', async (t) => {
  const upstream = await startUpstream(t, 'orders-1', (_request, response) => {
    response.writeHead(200, { 'content-length': '10' })
    response.write('half', () => response.destroy())
  })
  const { url } = await startEdge(t, [upstream])
  const response = await fetch(`${url}/orders/`)
  t.equal(response.status, 200)
  await t.rejects(response.text())
})

t.test('aborts the request at the instance when the client disconnects', async (t) => {
  const closed = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  const upstream = await startUpstream(t, 'orders-1', (_request, response) => {
    response.once('close', () => closed.resolve())
    reached.resolve()
  })
  const { url } = await startEdge(t, [upstream])
  const leaving = new AbortController()
  const call = fetch(`${url}/orders/`, { signal: leaving.signal })
  await reached.promise
  leaving.abort()
  await t.rejects(call)
  await closed.promise
})

t.test('a removed instance finishes its requests and gets no new ones', async (t) => {
  const finish = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  const leaving = await startUpstream(t, 'orders-1', async (_request, response) => {
    reached.resolve()
    await finish.promise
    response.end('done')
  })
  const staying = await startUpstream(t, 'orders-2', answerOk)
  const { edge, url } = await startEdge(t, [leaving, staying])
  const pending = fetch(`${url}/orders/`, { method: 'POST', body: 'order' })
  await reached.promise
  let drained = false
  const draining = edge.route({ orders: [staying] }).then(() => {
    drained = true
  })
  for (let call = 0; call < 4; call++) t.equal(servedBy(await fetch(`${url}/orders/`)), 'orders-2')
  t.notOk(drained)
  finish.resolve()
  t.equal(await (await pending).text(), 'done')
  await draining
})

t.test('answers invalid HTTP with a status line', async (t) => {
  const { port } = await startEdge(t, [])
  for (const [text, status] of [
    ['nonsense\r\n\r\n', '400'],
    [`GET / HTTP/1.1\r\nHost: a\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, '431'],
    ['GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', '400'],
  ]) {
    const socket = connect(port, '127.0.0.1')
    socket.write(text ?? '')
    t.match((await buffer(socket)).toString(), `HTTP/1.1 ${status}`)
  }
})

t.test('publishes no internal path of an instance, in any spelling', async (t) => {
  const upstream = await startUpstream(t, 'one', (_request, response) => response.end('internal'))
  const { port } = await startEdge(t, [upstream])
  const ask = async (path: string) => {
    const [reply] = await once(send({ port, path: `/orders${path}` }).end(), 'response')
    reply.resume()
    return reply.statusCode
  }
  const spellings = ['/X', '//X', '/X/', '/X?x', '/X;x', '/./X', '/%2e/X', '/a/../X', '/%2fX']
  for (const name of ['metrics', 'readyz', 'READYZ', '%6Detrics', '%72eady%7a']) {
    for (const path of spellings.map((spelling) => spelling.replace('X', name))) {
      t.equal(await ask(path), 404, path)
    }
  }
  for (const path of ['/v1/metrics', '/livez', '/v1/readyz']) t.equal(await ask(path), 200, path)
})

t.test('answers 400 to a fragment and to a second Host header', async (t) => {
  const upstream = await startUpstream(t, 'one', (_request, response) => response.end('reached'))
  const { port } = await startEdge(t, [upstream])
  for (const [path, headers] of [
    ['/orders/metrics#x', ''],
    ['/orders/a?b#c', ''],
    ['/orders/a', 'HOST: b\r\n'],
  ]) {
    const socket = connect(port, '127.0.0.1')
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}Connection: close\r\n\r\n`)
    const answer = (await buffer(socket)).toString()
    t.match(answer, 'HTTP/1.1 400')
    t.match(answer, '"code":"malformed_request"')
  }
})

t.test('a bad client takes no instance out of use', async (t) => {
  const upstreams = [
    await startUpstream(t, 'orders-1', echoBody),
    await startUpstream(t, 'orders-2', echoBody),
  ]
  const failures: string[] = []
  const onEvent = ({ error }: { error: string }) => void failures.push(error)
  const { url } = await startEdge(t, upstreams, { checkIntervalMs: 20, onEvent })
  const target = { url: new URL('/orders/', url) }
  const kinds = [...badRequestKinds, ...badRequestKinds, ...badRequestKinds]
  const sending = Promise.all(kinds.map((kind) => sendBadRequest(target, kind)))
  let done = false
  void sending.finally(() => {
    done = true
  })
  while (!done) {
    const names = [await fetch(target.url), await fetch(target.url)].map(servedBy)
    t.strictSame(new Set(names).size, 2, 'both instances serve')
    await sleep(50)
  }
  t.strictSame(failures, [])
})
