import t from 'tap'
import { startOrders } from './start-orders.ts'

const order = { item: 'Tea, 500 g', quantity: 3, unit_price_cents: 1_250 }
const ada = { subject: 'ada' }
const bob = { subject: 'bob' }
const admin = { subject: 'root', roles: ['admin'] }

t.test('lets a user place, read and list an order', async (t) => {
  const { request } = await startOrders(t)
  const placed = await request('POST', '/v1/orders', order, ada)
  t.equal(placed.status, 201)
  t.match(placed.body, { ...order, sub: 'ada', total_cents: 3_750, id: /^[0-9a-f-]{36}$/ })
  t.ok(Date.now() - Date.parse(placed.body.created_at) < 60_000)

  const read = await request('GET', `/v1/orders/${placed.body.id}`, undefined, ada)
  t.equal(read.status, 200)
  t.strictSame(read.body, placed.body)
  const listed = await request('GET', '/v1/orders', undefined, ada)
  t.strictSame(listed.body, { orders: [placed.body], next_cursor: null })
})

t.test('hides other users’ orders from a user, but not from an admin', async (t) => {
  const { request } = await startOrders(t)
  const { body: placed } = await request('POST', '/v1/orders', order, ada)

  const foreign = await request('GET', `/v1/orders/${placed.id}`, undefined, bob)
  t.equal(foreign.status, 404)
  t.equal(foreign.headers.get('content-type'), 'application/problem+json')
  t.equal(foreign.body.code, 'order_not_found')
  t.strictSame((await request('GET', '/v1/orders', undefined, bob)).body.orders, [])

  const read = await request('GET', `/v1/orders/${placed.id}`, undefined, admin)
  t.strictSame(read.body, placed)
  t.strictSame((await request('GET', '/v1/orders', undefined, admin)).body.orders, [placed])
})

t.test('pages through every order once, newest first, while new orders are placed', async (t) => {
  const { request } = await startOrders(t)
  const placed: string[] = []
  for (let quantity = 1; quantity <= 7; quantity++) {
    const { body } = await request('POST', '/v1/orders', { ...order, quantity }, ada)
    placed.unshift(body.id)
    await request('POST', '/v1/orders', order, bob)
  }
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const path = `/v1/orders?limit=3${cursor === null ? '' : `&cursor=${cursor}`}`
    const { body } = await request('GET', path, undefined, ada)
    seen.push(...body.orders.map(({ id }: { id: string }) => id))
    cursor = body.next_cursor
    await request('POST', '/v1/orders', order, ada)
  } while (cursor !== null)
  t.strictSame(seen, placed)
})

t.test('returns no next cursor with the last order', async (t) => {
  const { request } = await startOrders(t)
  for (let i = 0; i < 2; i++) await request('POST', '/v1/orders', order, ada)
  const { body } = await request('GET', '/v1/orders?limit=2', undefined, ada)
  t.equal(body.orders.length, 2)
  t.equal(body.next_cursor, null)
})

t.test('requires a scope for reading and another for writing', async (t) => {
  const { request } = await startOrders(t)
  const refused = [
    await request('POST', '/v1/orders', order, { scopes: ['orders:read'] }),
    await request('GET', '/v1/orders', undefined, { scopes: ['orders:write'] }),
    await request('GET', '/v1/orders', undefined, { scopes: ['orders'] }),
    await request('GET', '/v1/orders', undefined, { ...admin, scopes: [] }),
  ]
  for (const { status, headers, body } of refused) {
    t.equal(status, 403)
    t.equal(body.code, 'scope_insufficient')
    t.match(headers.get('www-authenticate'), /error="insufficient_scope".*, scope="orders:\w+"$/)
  }
})
