import { type Static, Type } from 'typebox'
import type { Invoice } from './store.ts'

// Not `format: 'uuid'`, which also takes "urn:uuid:…"; Postgres does not.
const Uuid = Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' })

/** What makes an invoice. The amount and whose it is come from the order. */
export const NewInvoice = Type.Object({ order_id: Uuid }, { additionalProperties: false })

/** Which page of a list. */
export const Page = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: 100, default: 20 }),
    cursor: Type.Optional(Uuid),
  },
  { additionalProperties: false },
)

/** An invoice as a client sees it. */
export const InvoiceReply = Type.Object({
  id: Uuid,
  order_id: Uuid,
  sub: Type.String({ description: 'Whose invoice it is.' }),
  amount_cents: Type.Integer(),
  created_at: Type.String({ format: 'date-time' }),
})

/** A page of invoices, newest first. */
export const InvoiceList = Type.Object({
  invoices: Type.Array(InvoiceReply),
  next_cursor: Type.Union([Uuid, Type.Null()], {
    description: 'The `cursor` of the next page; null on the last.',
  }),
})

/** Maps a stored invoice to what a client sees. */
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
