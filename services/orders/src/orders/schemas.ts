import { type Static, Type } from 'typebox'
import type { Order } from './store.ts'

// Not `format: 'uuid'`, which also takes "urn:uuid:…"; Postgres does not.
const Uuid = Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' })

/** What places an order. Whose it is comes from the token alone. */
export const NewOrder = Type.Object(
  {
    item: Type.String({ minLength: 1, maxLength: 200 }),
    quantity: Type.Integer({ minimum: 1, maximum: 1_000 }),
    unit_price_cents: Type.Integer({ minimum: 0, maximum: 1_000_000 }),
  },
  { additionalProperties: false },
)

/** Names one order. */
export const OrderParams = Type.Object({ id: Uuid })

/** Which page of a list. */
export const Page = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: 100, default: 20 }),
    cursor: Type.Optional(Uuid),
  },
  { additionalProperties: false },
)

/** An order as a client sees it. */
export const OrderReply = Type.Object({
  id: Uuid,
  sub: Type.String({ description: 'Whose order it is.' }),
  item: Type.String(),
  quantity: Type.Integer(),
  unit_price_cents: Type.Integer(),
  total_cents: Type.Integer(),
  created_at: Type.String({ format: 'date-time' }),
})

/** A page of orders, newest first. */
export const OrderList = Type.Object({
  orders: Type.Array(OrderReply),
  next_cursor: Type.Union([Uuid, Type.Null()], {
    description: 'The `cursor` of the next page; null on the last.',
  }),
})

/** Maps a stored order to what a client sees. */
export function toReply(order: Order): Static<typeof OrderReply> {
  const { id, sub, item, quantity, unitPriceCents, totalCents, createdAt } = order
  return {
    id,
    sub,
    item,
    quantity,
    unit_price_cents: unitPriceCents,
    total_cents: totalCents,
    created_at: createdAt.toISOString(),
  }
}
