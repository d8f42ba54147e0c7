import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem } from '@latchkey/service-kit'
import type { Claims } from '@latchkey/verify'
import { getOrder } from '../orders-client.ts'
import { InvoiceList, InvoiceReply, NewInvoice, Page, toReply } from './schemas.ts'
import { findInvoiceOfOrder, insertInvoice, listInvoices } from './store.ts'

/** The subject whose invoices the caller may see; `undefined` means everybody's, for an admin. */
function visibleSub({ sub, roles }: Claims): string | undefined {
  return roles?.includes('admin') ? undefined : sub
}

/** Creates invoices from orders, and lists them. */
export const invoicesRoutes: FastifyPluginAsyncTypebox<{ ordersUrl: string }> = async (
  app,
  { ordersUrl },
) => {
  const { db } = app

  app.post(
    '/invoices',
    {
      // Orders requires its own scope; checking it here avoids a call that must fail.
      config: { scopes: ['invoices:write', 'orders:read'] },
      schema: {
        tags: ['invoices'],
        operationId: 'createInvoice',
        summary: 'Create the invoice of an order; repeating the request returns the same invoice',
        body: NewInvoice,
        response: { 200: InvoiceReply, 201: InvoiceReply, 404: Problem },
      },
    },
    async ({ body: { order_id: orderId }, headers, id: requestId, user }, reply) => {
      const existing = await findInvoiceOfOrder(db, orderId, visibleSub(user))
      if (existing) return toReply(existing)
      const { authorization = '' } = headers
      const order = await getOrder(ordersUrl, orderId, { authorization, requestId })
      const amountCents = order.total_cents
      const values = { orderId, sub: order.sub, amountCents }
      const invoice = await app.durably(() => insertInvoice(db, values))
      if (invoice) return reply.code(201).send(toReply(invoice))
      const made = await findInvoiceOfOrder(db, orderId, order.sub)
      if (!made) throw new Error('an invoice of this order exists but could not be read')
      return toReply(made)
    },
  )

  app.get(
    '/invoices',
    {
      config: { scopes: ['invoices:read'] },
      schema: {
        tags: ['invoices'],
        operationId: 'listInvoices',
        summary: 'List your invoices, newest first; an admin sees all invoices',
        querystring: Page,
        response: { 200: InvoiceList },
      },
    },
    async ({ query: { limit, cursor }, user }) => {
      // One more than requested: if it exists, there is another page.
      const found = await listInvoices(db, visibleSub(user), { before: cursor, limit: limit + 1 })
      const invoices = found.slice(0, limit)
      const next_cursor = found.length > limit ? (invoices.at(-1)?.id ?? null) : null
      return { invoices: invoices.map(toReply), next_cursor }
    },
  )
}
