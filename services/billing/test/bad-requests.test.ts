import t from 'tap'
import { startBilling } from './start-billing.ts'

const nowhere = 'http://127.0.0.1:1'
const invoice = { order_id: '019a0000-0000-7000-8000-000000000000' }

t.test('refuses a body that names no order before calling orders', async (t) => {
  const { request } = await startBilling(t, nowhere)
  const bodies = [
    {},
    [],
    { order_id: 7 },
    { order_id: '7' },
    { order_id: '../../livez' },
    { order_id: `urn:uuid:${invoice.order_id}` },
    { order_id: `${invoice.order_id}\n` },
    { ...invoice, amount_cents: 1 },
    { ...invoice, sub: 'bob' },
  ]
  for (const body of bodies) {
    const reply = await request('POST', '/v1/invoices', body)
    t.equal(reply.status, 400, JSON.stringify(body))
    t.equal(reply.headers.get('content-type'), 'application/problem+json')
    t.equal(reply.body.code, 'invalid_request')
  }
  const text = await request('POST', '/v1/invoices', { order_id: '\0' })
  t.equal(text.status, 400)
  t.equal(text.body.code, 'invalid_text')
})

t.test('requires every scope an invoice needs, including that of orders', async (t) => {
  const { request } = await startBilling(t, nowhere)
  const refused = [
    await request('POST', '/v1/invoices', invoice, { scopes: ['invoices:write'] }),
    await request('POST', '/v1/invoices', invoice, { scopes: ['orders:read'] }),
    await request('GET', '/v1/invoices', undefined, { scopes: ['invoices:write'] }),
  ]
  for (const { status, body } of refused) {
    t.equal(status, 403)
    t.equal(body.code, 'scope_insufficient')
  }
})

t.test('refuses a token for another service', async (t) => {
  const { request } = await startBilling(t, nowhere)
  for (const path of ['/whoami', '/v1/invoices']) {
    const { status, body } = await request('GET', path, undefined, { audience: 'orders' })
    t.equal(status, 401)
    t.equal(body.code, 'token_audience')
  }
})
