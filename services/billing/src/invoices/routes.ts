import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem } from '@latchkey/service-kit'
import { createInvoice, visibleSub } from './create-invoice.ts'
import { InvoiceList, InvoiceReply, NewInvoice, Page, toReply } from './schemas.ts'
import { listInvoices } from './store.ts'

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
    async (request, reply) => {
      const { order_id: orderId } = request.body
      const { invoice, isNew } = await createInvoice(request, { ordersUrl, orderId })
      return reply.code(isNew ? 201 : 200).send(toReply(invoice))
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
