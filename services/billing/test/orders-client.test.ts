import type { RequestListener } from 'node:http'
import t from 'tap'
import { getOrder } from '../src/orders-client.ts'
import { startStandIn } from './start-billing.ts'

const id = '019a0000-0000-7000-8000-000000000000'
const order = { id, sub: 'ada', item: 'notebook', total_cents: 3_750 }
const caller = { authorization: 'Bearer token-of-the-caller', requestId: 'request-1' }

const answer =
  (status: number, body = '', headers: Record<string, string> = {}): RequestListener =>
  (_request, response) => {
    response.writeHead(status, headers).end(body)
  }

t.test('calls orders once, with the caller’s token and request ID', async (t) => {
  const asked: object[] = []
  const url = await startStandIn(t, ({ method, url, headers }, response) => {
    asked.push({ method, url, token: headers.authorization, requestId: headers['x-request-id'] })
    response.end(JSON.stringify({ ...order, more: 'than billing reads' }))
  })
  t.match(await getOrder(`${url}/orders`, id, caller), order)
  t.strictSame(asked, [
    {
      method: 'GET',
      url: `/orders/v1/orders/${id}`,
      token: caller.authorization,
      requestId: caller.requestId,
    },
  ])
})

t.test('maps each refusal of orders to a code', async (t) => {
  const refusals = [
    [401, 401, 'token_refused_by_orders'],
    [403, 403, 'order_forbidden'],
    [404, 404, 'order_not_found'],
    [400, 503, 'orders_unavailable'],
    [429, 503, 'orders_unavailable'],
    [500, 503, 'orders_unavailable'],
    [503, 503, 'orders_unavailable'],
  ] as const
  for (const [theirs, statusCode, code] of refusals) {
    const url = await startStandIn(t, answer(theirs, JSON.stringify(order)))
    await t.rejects(getOrder(url, id, caller), { statusCode, code }, `${theirs}`)
  }
})

t.test('refuses an invalid response of orders', async (t) => {
  const elsewhere = await startStandIn(t, () => t.fail('the token went to another host'))
  const answers: Record<string, RequestListener> = {
    'not JSON': answer(200, '<html>'),
    nothing: answer(200),
    'another order': answer(200, JSON.stringify({ ...order, id: 'another' })),
    'no amount': answer(200, JSON.stringify({ id, sub: 'ada' })),
    'an amount below zero': answer(200, JSON.stringify({ ...order, total_cents: -1 })),
    'no owner': answer(200, JSON.stringify({ ...order, sub: '' })),
    'a redirect': answer(302, '', { location: elsewhere }),
    'cut short': answer(200, '{', { 'content-length': '100' }),
    'far too large': answer(200, JSON.stringify({ ...order, more: 'a'.repeat(1_000_000) })),
  }
  for (const [what, listener] of Object.entries(answers)) {
    const url = await startStandIn(t, listener)
    const unavailable = { statusCode: 503, code: 'orders_unavailable' }
    await t.rejects(getOrder(url, id, caller), unavailable, what)
  }
})

t.test('gives up after two seconds when orders never answers or never finishes', async (t) => {
  const endless: RequestListener[] = [
    () => {},
    (_request, response) => {
      response.writeHead(200).write('{')
    },
  ]
  const started = Date.now()
  await Promise.all(
    endless.map(async (listener) => {
      const url = await startStandIn(t, listener)
      await t.rejects(getOrder(url, id, caller), { statusCode: 503, code: 'orders_unavailable' })
    }),
  )
  const took = Date.now() - started
  t.ok(took >= 1_900 && took < 4_000, `${took} ms`)
})

t.test('retries once when the connection is lost', async (t) => {
  let requests = 0
  const url = await startStandIn(t, (request, response) => {
    requests += 1
    if (requests === 1) request.socket.destroy()
    else response.end(JSON.stringify(order))
  })
  t.match(await getOrder(url, id, caller), order)
  t.equal(requests, 2)
})
