import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { appPages } from '@latchkey/service-kit'
import { html } from 'ghtml'
import { Type } from 'typebox'
import { visibleSub } from './routes.ts'
import { insertOrder, listOrders, type Order } from './store.ts'

const shownOrders = 20

/** A form has texts only. The limits are those of `NewOrder`. */
const OrderForm = Type.Object(
  {
    item: Type.String({ minLength: 1, maxLength: 200 }),
    quantity: Type.String({ pattern: '^([1-9]\\d{0,2}|1000)$' }),
    price: Type.String({ pattern: '^([1-9]?\\d{1,3}|10000)(\\.\\d\\d)?$' }),
  },
  { additionalProperties: false },
)

/** The page of the service: the latest orders of the user, and a form for a new one. */
export const ordersPage: FastifyPluginAsyncTypebox<{ issuer: string }> = async (
  app,
  { issuer },
) => {
  const { db } = app
  await app.register(appPages, { name: 'Orders', issuer })

  app.get('/', { config: { scopes: ['orders:read'] } }, async ({ user }, reply) => {
    const orders = await listOrders(db, visibleSub(user), { limit: shownOrders })
    return reply.sendAppPage({ title: 'Orders', content: renderOrders(orders) })
  })

  app.post(
    '/',
    { config: { scopes: ['orders:write'] }, schema: { body: OrderForm } },
    async ({ body: { item, quantity, price }, user: { sub } }, reply) => {
      const unitPriceCents = Math.round(Number(price) * 100)
      const order = { sub, item, quantity: Number(quantity), unitPriceCents }
      await app.durably(() => insertOrder(db, order))
      return reply.redirect('./', 303)
    },
  )
}

const renderOrders = (orders: Order[]) => html`!${
  orders.length === 0 ? '<p>You have no orders yet.</p>' : renderTable(orders)
}
<form class="new" method="post" action="./">
<h2>New order</h2>
<label>Item <input name="item" required maxlength="200"></label>
<label>Quantity <input name="quantity" required inputmode="numeric" pattern="[0-9]{1,4}" value="1"></label>
<label>Price of one <input name="price" required inputmode="decimal" pattern="[0-9]{1,5}([.][0-9]{2})?" placeholder="9.90"></label>
<button>Place the order</button>
</form>`

const renderTable = (orders: Order[]) => html`<table>
<thead><tr><th>Item</th><th>Quantity</th><th>Total</th></tr></thead>
<tbody>!${orders.map(
  ({ item, quantity, totalCents }) =>
    html`<tr><td>${item}</td><td>${quantity}</td><td>${(totalCents / 100).toFixed(2)}</td></tr>`,
)}</tbody>
</table>`
