import t from 'tap'
import { startOrders } from './start-orders.ts'

const order = { item: 'Tea', quantity: 1, unit_price_cents: 100 }
const json = 'application/json'

t.test('refuses a body that is not an order, with a code, and stores nothing', async (t) => {
  const { app, url, token } = await startOrders(t)
  const bodies: [body: string, type: string, status: number, code: string][] = [
    ['{', json, 400, 'malformed_json'],
    ['', json, 400, 'empty_body'],
    ['null', json, 400, 'invalid_request'],
    ['[]', json, 400, 'invalid_request'],
    ['"order"', json, 400, 'invalid_request'],
    [JSON.stringify({ ...order, quantity: '1' }), json, 400, 'invalid_request'],
    [JSON.stringify({ ...order, quantity: 1.5 }), json, 400, 'invalid_request'],
    [JSON.stringify({ ...order, quantity: 0 }), json, 400, 'invalid_request'],
    [JSON.stringify({ ...order, quantity: 1e300 }), json, 400, 'invalid_request'],
    [JSON.stringify({ ...order, unit_price_cents: -1 }), json, 400, 'invalid_request'],
    [JSON.stringify({ ...order, item: 7 }), json, 400, 'invalid_request'],
    [JSON.stringify({ ...order, item: '' }), json, 400, 'invalid_request'],
    [JSON.stringify({ ...order, item: 'a'.repeat(201) }), json, 400, 'invalid_request'],
    [JSON.stringify({ item: 'Tea', quantity: 1 }), json, 400, 'invalid_request'],
    [JSON.stringify({ ...order, sub: 'bob' }), json, 400, 'invalid_request'],
    ['{"__proto__":{"quantity":1}}', json, 400, 'malformed_json'],
    [JSON.stringify({ ...order, item: 'T\0ea' }), json, 400, 'invalid_text'],
    [JSON.stringify({ ...order, item: '\ud800' }), json, 400, 'invalid_text'],
    [JSON.stringify({ ...order, 'a\0': 1 }), json, 400, 'invalid_text'],
    [JSON.stringify({ ...order, item: 'a'.repeat(10_000_000) }), json, 413, 'body_too_large'],
    ['item=Tea', 'application/x-www-form-urlencoded', 415, 'unsupported_media_type'],
    ['<order/>', 'application/xml', 415, 'unsupported_media_type'],
    [JSON.stringify(order), 'nonsense', 415, 'unsupported_media_type'],
  ]
  for (const [body, type, status, code] of bodies) {
    const response = await fetch(`${url}/v1/orders`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token()}`, 'content-type': type },
      body,
    })
    const label = `${type}: ${body.slice(0, 80)}`
    t.equal(response.status, status, label)
    t.equal(response.headers.get('content-type'), 'application/problem+json', label)
    t.match(await response.json(), { code, status, request_id: /^[0-9a-f-]{36}$/ }, label)
  }
  const { rows } = await app.db.query('SELECT count(*)::int AS orders FROM orders')
  t.strictSame(rows, [{ orders: 0 }])
})

t.test('refuses an invalid path or query with a code', async (t) => {
  const { request, url } = await startOrders(t)
  const paths: [path: string, status: number][] = [
    ['/v1/orders/7', 400],
    ['/v1/orders/%00', 400],
    ['/v1/orders/%ZZ', 400],
    ['/v1/orders/urn:uuid:019a0000-0000-7000-8000-000000000000', 400],
    ['/v1/orders/019a0000-0000-7000-8000-000000000000', 404],
    [`/v1/orders/${'a'.repeat(1_000)}`, 414],
    ['/v1/orders?limit=0', 400],
    ['/v1/orders?limit=101', 400],
    ['/v1/orders?limit=ten', 400],
    ['/v1/orders?limit=1&limit=2', 400],
    ['/v1/orders?cursor=%00', 400],
    ['/v1/orders?cursor=urn:uuid:019a0000-0000-7000-8000-000000000000', 400],
    ['/v1/orders?offset=3', 400],
    ['/v1/nothing', 404],
    ['/V1/orders', 404],
  ]
  for (const [path, status] of paths) {
    const { headers, body, ...reply } = await request('GET', path)
    t.equal(reply.status, status, path)
    t.equal(headers.get('content-type'), 'application/problem+json', path)
    t.match(body.code, /^[a-z_]+$/, path)
  }
  t.equal((await request('DELETE', '/v1/orders')).status, 404)
  const stranger = await fetch(`${url}/v1/nothing`)
  t.equal(stranger.status, 401, 'a stranger cannot tell which routes exist')
})

t.test('reveals nothing about the database or the code in an error', async (t) => {
  const { app, request } = await startOrders(t)
  app.db.query = () => Promise.reject(new Error('relation "orders" at /srv/store.ts:12'))
  const { status, body } = await request('GET', '/v1/orders')
  t.equal(status, 500)
  t.equal(body.code, 'internal_error')
  t.notMatch(JSON.stringify(body), /relation|store|srv/)
})

t.test('refuses a token whose subject cannot be stored', async (t) => {
  const { request } = await startOrders(t)
  const { status, body } = await request('GET', '/v1/orders', undefined, { subject: 'a\0b' })
  t.equal(status, 400)
  t.equal(body.code, 'invalid_text')
})
