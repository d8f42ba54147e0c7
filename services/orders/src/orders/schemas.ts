import { Uuid } from '@latchkey/service-kit'
import { type Static, Type } from 'typebox'
import type { Order } from './store.ts'

/** The request that places an order. Its owner comes from the token alone. */
export const NewOrder = Type.Object(
  {
    item: Type.String({ minLength: 1, maxLength: 200, examples: ['notebook'] }),
    quantity: Type.Integer({ minimum: 1, maximum: 1_000 }),
    unit_price_cents: Type.Integer({ minimum: 0, maximum: 1_000_000 }),
  },
  { additionalProperties: false },
)

export const OrderParams = Type.Object({ id: Uuid })

/** Selects a page. */
export const Page = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: 100, default: 20 }),
    cursor: Type.Optional(Uuid),
  },
  { additionalProperties: false },
)

/** An order as a client sees it. */
export const OrderReply = Type.Object(
  {
    id: Uuid,
    sub: Type.String({ description: 'The subject that placed it.' }),
    item: Type.String(),
    quantity: Type.Integer(),
    unit_price_cents: Type.Integer(),
    total_cents: Type.Integer(),
    created_at: Type.String({ format: 'date-time' }),
  },
  { title: 'Order' },
)

/** A page of orders, newest first. */
export const OrderList = Type.Object({
  orders: Type.Array(OrderReply),
  next_cursor: Type.Union([Uuid, Type.Null()], {
    description: 'The `cursor` of the next page; null on the last page.',
  }),
})

/** Maps a stored order to its wire format. */
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
