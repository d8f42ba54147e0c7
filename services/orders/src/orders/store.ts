import { createUuid, type Queryable } from '@latchkey/service-kit'

/** An order as it is stored. */
export interface Order {
  id: string
  /** The subject of the token that placed it. */
  sub: string
  item: string
  quantity: number
  unitPriceCents: number
  totalCents: number
  createdAt: Date
}

const columns = `id, sub, item, quantity, unit_price_cents AS "unitPriceCents",
  quantity * unit_price_cents AS "totalCents", created_at AS "createdAt"`

/** Stores an order. */
export async function insertOrder(
  db: Queryable,
  order: Pick<Order, 'sub' | 'item' | 'quantity' | 'unitPriceCents'>,
): Promise<Order> {
  const { rows } = await db.query<Order>({
    name: 'order_insert',
    text: `
      INSERT INTO orders (id, sub, item, quantity, unit_price_cents)
      VALUES ($1, $2, $3, $4, $5)
      RETURNING ${columns}`,
    values: [createUuid(), order.sub, order.item, order.quantity, order.unitPriceCents],
  })
  return rows[0] as Order
}

/** Finds an order of `sub`, or of anybody when `sub` is undefined. */
export async function findOrder(
  db: Queryable,
  id: string,
  sub: string | undefined,
): Promise<Order | undefined> {
  const { rows } = await db.query<Order>({
    name: 'order_find',
    text: `SELECT ${columns} FROM orders WHERE id = $1 AND ($2::text IS NULL OR sub = $2)`,
    values: [id, sub],
  })
  return rows[0]
}

/** Greater than every id. */
const endOfTime = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

/**
 * Lists the orders of `sub`, or all orders when `sub` is undefined, newest first.
 *
 * Pages by key, not by offset: new orders do not shift the pages, and the thousandth page is as
 * fast as the first.
 *
 * @param page.before only orders older than the one with this id
 */
export async function listOrders(
  db: Queryable,
  sub: string | undefined,
  { before = endOfTime, limit }: { before?: string | undefined; limit: number },
): Promise<Order[]> {
  const page = 'id < $1 ORDER BY id DESC LIMIT $2'
  const { rows } = await db.query<Order>(
    sub === undefined
      ? {
          name: 'orders_list_all',
          text: `SELECT ${columns} FROM orders WHERE ${page}`,
          values: [before, limit],
        }
      : {
          name: 'orders_list_own',
          text: `SELECT ${columns} FROM orders WHERE sub = $3 AND ${page}`,
          values: [before, limit, sub],
        },
  )
  return rows
}
