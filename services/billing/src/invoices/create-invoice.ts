import type { Claims } from '@latchkey/verify'
import type { FastifyRequest } from 'fastify'
import { getOrder } from '../orders-client.ts'
import { findInvoiceOfOrder, type Invoice, insertInvoice } from './store.ts'

/** The subject whose invoices the caller may see; `undefined` means everybody's, for an admin. */
export function visibleSub({ sub, roles }: Claims): string | undefined {
  return roles?.includes('admin') ? undefined : sub
}

/**
 * Creates the invoice of an order, or finds the one that it has.
 *
 * @throws ProblemError that of `getOrder`
 */
export async function createInvoice(
  { server: app, headers, id: requestId, user }: FastifyRequest,
  { ordersUrl, orderId }: { ordersUrl: string; orderId: string },
): Promise<{ invoice: Invoice; isNew: boolean }> {
  const { db } = app
  const existing = await findInvoiceOfOrder(db, orderId, visibleSub(user))
  if (existing) return { invoice: existing, isNew: false }
  const { authorization = '' } = headers
  const order = await getOrder(ordersUrl, orderId, { authorization, requestId })
  const values = { orderId, sub: order.sub, amountCents: order.total_cents }
  const created = await app.durably(() => insertInvoice(db, values))
  if (created) return { invoice: created, isNew: true }
  const made = await findInvoiceOfOrder(db, orderId, order.sub)
  if (!made) throw new Error('an invoice of this order exists but could not be read')
  return { invoice: made, isNew: false }
}
