import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { appPages, Uuid } from '@latchkey/service-kit'
import { html } from 'ghtml'
import { Type } from 'typebox'
import { listOrders, type Order } from '../orders-client.ts'
import { createInvoice, visibleSub } from './create-invoice.ts'
import { type Invoice, listInvoices } from './store.ts'

const shownInvoices = 20

/** The page of the service: the latest invoices of the user, and a form for one of an order. */
export const invoicesPage: FastifyPluginAsyncTypebox<{
  issuer: string
  ordersUrl: string
}> = async (app, { issuer, ordersUrl }) => {
  const { db } = app
  await app.register(appPages, { name: 'Billing', issuer })

  app.get(
    '/',
    { config: { scopes: ['invoices:read', 'orders:read'] } },
    async ({ headers, id: requestId, user }, reply) => {
      const invoices = await listInvoices(db, visibleSub(user), { limit: shownInvoices })
      const { authorization = '' } = headers
      const orders = await listOrders(ordersUrl, { authorization, requestId })
      return reply.sendAppPage({ title: 'Invoices', content: renderInvoices(invoices, orders) })
    },
  )

  app.post(
    '/',
    {
      config: { scopes: ['invoices:write', 'orders:read'] },
      schema: { body: Type.Object({ order_id: Uuid }, { additionalProperties: false }) },
    },
    async (request, reply) => {
      await createInvoice(request, { ordersUrl, orderId: request.body.order_id })
      return reply.redirect('./', 303)
    },
  )
}

const money = (cents: number) => (cents / 100).toFixed(2)

const renderInvoices = (invoices: Invoice[], orders: Order[]) => html`!${
  invoices.length === 0 ? '<p>You have no invoices yet.</p>' : renderTable(invoices)
}
!${orders.length === 0 ? '<p>Place an order first.</p>' : renderForm(orders)}`

const renderTable = (invoices: Invoice[]) => html`<table>
<thead><tr><th>Invoice</th><th>Amount</th></tr></thead>
<tbody>!${invoices.map(
  ({ id, amountCents }) => html`<tr><td>${id}</td><td>${money(amountCents)}</td></tr>`,
)}</tbody>
</table>`

const renderForm = (orders: Order[]) => html`<form class="new" method="post" action="./">
<h2>New invoice</h2>
<label>Order <select name="order_id">!${orders.map(
  ({ id, item, total_cents }) =>
    html`<option value="${id}">${item}, ${money(total_cents)}</option>`,
)}</select></label>
<button>Create the invoice</button>
</form>`
