import { writeKeyFile } from '@latchkey/test-kit'
import t, { type Test } from 'tap'
import { startBilling, startOrders } from './start-billing.ts'

const ada = { subject: 'ada' }
const bob = { subject: 'bob' }
const admin = { subject: 'root', roles: ['admin'] }

const keys = writeKeyFile(t)
const sharedOrders = await startOrders(t, keys)

/** Starts both services and places an order of 37.50 for Ada. */
async function withOrder(t: Test, orders = sharedOrders) {
  const billing = await startBilling(t, orders.url, keys)
  const order = { item: 'Tea, 500 g', quantity: 3, unit_price_cents: 1_250 }
  const { body } = await orders.request('POST', '/v1/orders', order, ada)
  return { orders, ...billing, orderId: body.id as string }
}

t.test('creates an invoice from an order with one token for both services', async (t) => {
  const { request, orderId } = await withOrder(t)
  const made = await request('POST', '/v1/invoices', { order_id: orderId }, ada)
  t.equal(made.status, 201)
  t.match(made.body, { order_id: orderId, sub: 'ada', amount_cents: 3_750, id: /^[0-9a-f-]{36}$/ })
  const listed = await request('GET', '/v1/invoices', undefined, ada)
  t.strictSame(listed.body, { invoices: [made.body], next_cursor: null })
  t.strictSame((await request('GET', '/v1/invoices', undefined, bob)).body.invoices, [])
  t.strictSame((await request('GET', '/v1/invoices', undefined, admin)).body.invoices, [made.body])
})

t.test('creates one invoice per order in ten concurrent requests by two users', async (t) => {
  const { app, request, orderId } = await withOrder(t)
  const replies = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      request('POST', '/v1/invoices', { order_id: orderId }, index % 2 ? ada : admin),
    ),
  )
  t.equal(replies.filter(({ status }) => status === 201).length, 1)
  t.equal(replies.filter(({ status }) => status === 200).length, 9)
  t.equal(new Set(replies.map(({ body }) => body.id)).size, 1)
  t.equal(replies[0]?.body.sub, 'ada')
  t.equal((await app.db.query('SELECT id FROM invoices')).rowCount, 1)
})

t.test('answers 404 for another user’s order, as orders does', async (t) => {
  const { request, orderId } = await withOrder(t)
  await request('POST', '/v1/invoices', { order_id: orderId }, ada)
  const foreign = await request('POST', '/v1/invoices', { order_id: orderId }, bob)
  t.equal(foreign.status, 404)
  t.equal(foreign.body.code, 'order_not_found')
})

t.test(
  'answers 503 for a new invoice while orders is down, and returns existing ones',
  async (t) => {
    const { orders, request, orderId } = await withOrder(t, await startOrders(t, keys))
    const other = await orders.request(
      'POST',
      '/v1/orders',
      { item: 'Cup', quantity: 1, unit_price_cents: 900 },
      ada,
    )
    const made = await request('POST', '/v1/invoices', { order_id: orderId }, ada)
    t.equal(await orders.stop(), 0)

    const refused = await request('POST', '/v1/invoices', { order_id: other.body.id }, ada)
    t.equal(refused.status, 503)
    t.equal(refused.body.code, 'orders_unavailable')
    t.equal(refused.headers.get('retry-after'), '1')
    const repeated = await request('POST', '/v1/invoices', { order_id: orderId }, ada)
    t.equal(repeated.status, 200)
    t.strictSame(repeated.body, made.body)
    t.equal((await request('GET', '/whoami', undefined, ada)).status, 200)
  },
)

t.test('passes the request ID to orders', async (t) => {
  const { orders, request, orderId } = await withOrder(t, await startOrders(t, keys))
  const { headers } = await request('POST', '/v1/invoices', { order_id: orderId }, ada)
  const id = headers.get('x-request-id')
  t.ok(id)
  await orders.stop()
  t.match(orders.output(), `"reqId":"${id}"`)
})

t.test('names the refusal when orders does not accept the token', async (t) => {
  const { request, orderId } = await withOrder(t)
  const invoice = { order_id: orderId }
  const refused = await request('POST', '/v1/invoices', invoice, { audience: 'billing' })
  t.equal(refused.status, 401)
  t.equal(refused.body.code, 'token_refused_by_orders')
  t.match(
    refused.headers.get('www-authenticate'),
    /^Bearer realm="latchkey", error="invalid_token"/,
  )
})

t.test('pages through every invoice once, newest first', async (t) => {
  const { orders, request } = await withOrder(t)
  const made: string[] = []
  for (let quantity = 1; quantity <= 5; quantity++) {
    const order = { item: 'Cup', quantity, unit_price_cents: 900 }
    const { body } = await orders.request('POST', '/v1/orders', order, ada)
    made.unshift((await request('POST', '/v1/invoices', { order_id: body.id }, ada)).body.id)
  }
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const path = `/v1/invoices?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`
    const { body } = await request('GET', path, undefined, ada)
    seen.push(...body.invoices.map(({ id }: { id: string }) => id))
    cursor = body.next_cursor
  } while (cursor !== null)
  t.strictSame(seen, made)
})
