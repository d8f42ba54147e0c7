import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem, ProblemError } from '@latchkey/service-kit'
import type { Claims } from '@latchkey/verify'
import { NewOrder, OrderList, OrderParams, OrderReply, Page, toReply } from './schemas.ts'
import { findOrder, insertOrder, listOrders } from './store.ts'

/** The subject whose orders the caller may see; `undefined` means everybody's, for an admin. */
export function visibleSub({ sub, roles }: Claims): string | undefined {
  return roles?.includes('admin') ? undefined : sub
}

/** Places, lists and reads orders. */
export const ordersRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { db } = app

  app.post(
    '/orders',
    {
      config: { scopes: ['orders:write'] },
      schema: {
        tags: ['orders'],
        operationId: 'placeOrder',
        summary: 'Place an order',
        body: NewOrder,
        response: { 201: OrderReply },
      },
    },
    async ({ body, user: { sub } }, reply) => {
      const { item, quantity, unit_price_cents: unitPriceCents } = body
      const values = { sub, item, quantity, unitPriceCents }
      const order = await app.durably(() => insertOrder(db, values))
      return reply.code(201).send(toReply(order))
    },
  )

  app.get(
    '/orders',
    {
      config: { scopes: ['orders:read'] },
      schema: {
        tags: ['orders'],
        operationId: 'listOrders',
        summary: 'List your orders, newest first; an admin sees all orders',
        querystring: Page,
        response: { 200: OrderList },
      },
    },
    async ({ query: { limit, cursor }, user }) => {
      // One more than requested: if it exists, there is another page.
      const found = await listOrders(db, visibleSub(user), { before: cursor, limit: limit + 1 })
      const orders = found.slice(0, limit)
      const next_cursor = found.length > limit ? (orders.at(-1)?.id ?? null) : null
      return { orders: orders.map(toReply), next_cursor }
    },
  )

  app.get(
    '/orders/:id',
    {
      config: { scopes: ['orders:read'] },
      schema: {
        tags: ['orders'],
        operationId: 'getOrder',
        summary: 'Read one order',
        params: OrderParams,
        response: { 200: OrderReply, 404: Problem },
      },
    },
    async ({ params: { id }, user }) => {
      const order = await findOrder(db, id, visibleSub(user))
      // The same answer for another user's order and for none, so that ids cannot be probed.
      if (!order) throw new ProblemError(404, 'order_not_found', 'You have no order with this ID.')
      return toReply(order)
    },
  )
}
