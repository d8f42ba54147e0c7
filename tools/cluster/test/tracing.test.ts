import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { login, register } from '@latchkey/test-kit/client'
import t from 'tap'
import { startCluster } from '../src/cluster.ts'
import { type Span, startCollector } from './collector.ts'

const collector = await startCollector(t)
const cluster = await startCluster({
  port: 0,
  instances: 1,
  ephemeral: true,
  env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '50' },
})
t.teardown(() => cluster.stop())

const { url } = cluster
const { access_token: token } = await login(url, await register(url))

function ask(path: string, body?: object, headers: Record<string, string> = {}) {
  return fetch(url + path, {
    headers: {
      authorization: `Bearer ${token}`,
      ...(body && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
  })
}

/** Places an order and invoices it; for that, billing calls orders. */
async function invoice(headers?: Record<string, string>): Promise<string> {
  const order = await ask('/orders/v1/orders', { item: 'key', quantity: 1, unit_price_cents: 5 })
  const { id } = (await order.json()) as { id: string }
  const reply = await ask('/billing/v1/invoices', { order_id: id }, headers)
  t.equal(reply.status, 201)
  return reply.headers.get('x-request-id') ?? ''
}

/**
 * The lines of an instance's log about a request. Waits for them: they are written after the
 * response.
 */
async function logged(instance: string, requestId: string): Promise<string[]> {
  const file = join(cluster.dataFolder, 'logs', `${instance}.log`)
  return until(async () => {
    const lines = (await readFile(file, 'utf8')).split('\n')
    const found = lines.filter((line) => line.includes(`"reqId":"${requestId}"`))
    return found.length > 0 ? found : undefined
  })
}

/** The first matching span, once it has been exported. */
const seen = (matches: (span: Span) => boolean): Promise<Span> =>
  until(async () => collector.spans.find(matches))

/** Polls until something is found. */
async function until<T>(find: () => Promise<T | undefined>): Promise<T> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const found = await find()
    if (found !== undefined) return found
    await sleep(50)
  }
  throw new Error('not found within 10 s')
}

t.test('passes one request ID from the edge through billing to orders', async (t) => {
  for (const given of [undefined, 'a-client.s:own-1']) {
    const requestId = await invoice(given === undefined ? {} : { 'x-request-id': given })
    if (given !== undefined) t.equal(requestId, given)
    t.match(await logged('billing-1', requestId), [/"path":"\/v1\/invoices".*"status":201/])
    t.match(await logged('orders-1', requestId), [/"path":"\/v1\/orders\/.*"status":200/])
  }
})

t.test('a trace follows a request from billing to orders', async (t) => {
  const requestId = await invoice()
  const ofRequest = (span: Span) => span.attributes['latchkey.request_id'] === requestId
  const atBilling = await seen((span) => ofRequest(span) && span.service === 'latchkey-billing')
  t.match(atBilling, {
    name: 'POST /v1/invoices',
    kind: 'SPAN_KIND_SERVER',
    instance: 'billing-1',
    parentSpanId: '',
    attributes: { 'http.response.status_code': '201' },
  })
  const atOrders = await seen((span) => ofRequest(span) && span.service === 'latchkey-orders')
  t.match(atOrders, {
    name: 'GET /v1/orders/:id',
    kind: 'SPAN_KIND_SERVER',
    instance: 'orders-1',
    traceId: atBilling.traceId,
    attributes: { 'http.route': '/v1/orders/:id', 'http.response.status_code': '200' },
  })
  const call = await seen(({ spanId }) => spanId === atOrders.parentSpanId)
  t.match(call, {
    kind: 'SPAN_KIND_CLIENT',
    service: 'latchkey-billing',
    traceId: atBilling.traceId,
  })
})

t.test('continues a trace that the client started', async (t) => {
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  await invoice({ traceparent: `00-${traceId}-b7ad6b7169203331-01` })
  const atBilling = await seen(
    (span) => span.traceId === traceId && span.name === 'POST /v1/invoices',
  )
  t.equal(atBilling.parentSpanId, 'b7ad6b7169203331')
  await seen((span) => span.traceId === traceId && span.service === 'latchkey-orders')
})

t.test('no span contains a query or a token; probes and polls have no spans', async (t) => {
  const reply = await ask(`/orders/whoami?access_token=${token}`)
  const requestId = reply.headers.get('x-request-id')
  const { attributes } = await seen((span) => span.attributes['latchkey.request_id'] === requestId)
  t.equal(attributes['url.path'], '/whoami')
  for (const { url } of cluster.instances) await fetch(`${url}/readyz`)
  const all = JSON.stringify(collector.spans)
  t.notOk(all.includes(token.slice(0, 40)), 'no token')
  t.notMatch(all, /access_token|readyz|livez|metrics|revocations/)
})

t.test('an unreachable collector fails no request and delays no stop', async (t) => {
  collector.close()
  for (let call = 0; call < 20; call += 1) t.equal((await ask('/orders/whoami')).status, 200)
  const log = join(cluster.dataFolder, 'logs/orders-1.log')
  await until(
    async () =>
      (await readFile(log, 'utf8')).match(/"msg":"traces cannot be exported"/) ?? undefined,
  )
  t.equal((await ask('/orders/whoami')).status, 200)
  const startedAt = performance.now()
  await cluster.stopProcess('orders-1')
  t.ok(performance.now() - startedAt < 6_000, 'it waits for one export at most')
})
