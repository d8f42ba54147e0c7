import { Uuid } from '@latchkey/service-kit'
import { type Static, Type } from 'typebox'
import type { Invoice } from './store.ts'

/** The request that creates an invoice. Its amount and owner come from the order. */
export const NewInvoice = Type.Object({ order_id: Uuid }, { additionalProperties: false })

/** Selects a page. */
export const Page = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: 100, default: 20 }),
    cursor: Type.Optional(Uuid),
  },
  { additionalProperties: false },
)

/** An invoice as a client sees it. */
export const InvoiceReply = Type.Object(
  {
    id: Uuid,
    order_id: Uuid,
    sub: Type.String({ description: 'The subject of the order.' }),
    amount_cents: Type.Integer(),
    created_at: Type.String({ format: 'date-time' }),
  },
  { title: 'Invoice' },
)

/** A page of invoices, newest first. */
export const InvoiceList = Type.Object({
  invoices: Type.Array(InvoiceReply),
  next_cursor: Type.Union([Uuid, Type.Null()], {
    description: 'The `cursor` of the next page; null on the last page.',
  }),
})

/** Maps a stored invoice to its wire format. */
export function toReply(invoice: Invoice): Static<typeof InvoiceReply> {
  const { id, orderId, sub, amountCents, createdAt } = invoice
  return {
    id,
    order_id: orderId,
    sub,
    amount_cents: amountCents,
    created_at: createdAt.toISOString(),
  }
}
