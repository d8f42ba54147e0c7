import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem } from '@latchkey/service-kit'
import type { Claims } from '@latchkey/verify'
import { getOrder } from '../orders-client.ts'
import { InvoiceList, InvoiceReply, NewInvoice, Page, toReply } from './schemas.ts'
import { findInvoiceOfOrder, insertInvoice, listInvoices } from './store.ts'

/** Whose invoices the bearer may see: their own, or, as an admin, everybody's (undefined). */
function visibleSub({ sub, roles }: Claims): string | undefined {
  return roles?.includes('admin') ? undefined : sub
}

/** Invoices: making one from an order, and listing them. */
export const invoicesRoutes: FastifyPluginAsyncTypebox<{ ordersUrl: string }> = async (
  app,
  { ordersUrl },
) => {
  const { db } = app
  const refusals = { 400: Problem, 401: Problem, 403: Problem, 503: Problem }

  app.post(
    '/invoices',
    {
      // Orders will ask for its own scope: a token that lacks it is refused before the call.
      config: { scopes: ['invoices:write', 'orders:read'] },
      schema: {
        summary: 'Make the invoice of an order; repeated, it answers the same invoice',
        body: NewInvoice,
        response: { 200: InvoiceReply, 201: InvoiceReply, ...refusals, 404: Problem },
      },
    },
    async ({ body: { order_id: orderId }, headers, id: requestId, user }, reply) => {
      const existing = await findInvoiceOfOrder(db, orderId, visibleSub(user))
      if (existing) return toReply(existing)
      const { authorization = '' } = headers
      const order = await getOrder(ordersUrl, orderId, { authorization, requestId })
      const amountCents = order.total_cents
      const invoice = await insertInvoice(db, { orderId, sub: order.sub, amountCents })
      if (invoice) return reply.code(201).send(toReply(invoice))
      const made = await findInvoiceOfOrder(db, orderId, order.sub)
      if (!made) throw new Error('an invoice that was in the way is gone')
      return toReply(made)
    },
  )

  app.get(
    '/invoices',
    {
      config: { scopes: ['invoices:read'] },
      schema: {
        summary: 'List your invoices, newest first; an admin sees everybody’s',
        querystring: Page,
        response: { 200: InvoiceList, ...refusals },
      },
    },
    async ({ query: { limit, cursor }, user }) => {
      // One more than asked for: its presence says that there is another page.
      const found = await listInvoices(db, visibleSub(user), { before: cursor, limit: limit + 1 })
      const invoices = found.slice(0, limit)
      const next_cursor = found.length > limit ? (invoices.at(-1)?.id ?? null) : null
      return { invoices: invoices.map(toReply), next_cursor }
    },
  )
}
