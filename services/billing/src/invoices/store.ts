import { createUuid, type Queryable } from '@latchkey/service-kit'

/** An invoice as it is stored. */
export interface Invoice {
  id: string
  orderId: string
  /** The subject whose order it is for. */
  sub: string
  amountCents: number
  createdAt: Date
}

const columns = `id, order_id AS "orderId", sub, amount_cents AS "amountCents",
  created_at AS "createdAt"`

/**
 * Stores the invoice of an order.
 *
 * Of two requests racing for the same order, one inserts. The other waits for it and gets
 * `undefined`.
 */
export async function insertInvoice(
  db: Queryable,
  invoice: Pick<Invoice, 'orderId' | 'sub' | 'amountCents'>,
): Promise<Invoice | undefined> {
  const { rows } = await db.query<Invoice>({
    name: 'invoice_insert',
    text: `
      INSERT INTO invoices (id, order_id, sub, amount_cents)
      VALUES ($1, $2, $3, $4)
      ON CONFLICT (order_id) DO NOTHING
      RETURNING ${columns}`,
    values: [createUuid(), invoice.orderId, invoice.sub, invoice.amountCents],
  })
  return rows[0]
}

/** Finds the invoice of an order of `sub`, or of anybody when `sub` is undefined. */
export async function findInvoiceOfOrder(
  db: Queryable,
  orderId: string,
  sub: string | undefined,
): Promise<Invoice | undefined> {
  const { rows } = await db.query<Invoice>({
    name: 'invoice_find_of_order',
    text: `
      SELECT ${columns} FROM invoices
       WHERE order_id = $1 AND ($2::text IS NULL OR sub = $2)`,
    values: [orderId, sub],
  })
  return rows[0]
}

/** Greater than every id. */
const endOfTime = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

/**
 * Lists the invoices of `sub`, or all invoices when `sub` is undefined, newest first.
 *
 * @param page.before only invoices older than the one with this id
 */
export async function listInvoices(
  db: Queryable,
  sub: string | undefined,
  { before = endOfTime, limit }: { before?: string | undefined; limit: number },
): Promise<Invoice[]> {
  const page = 'id < $1 ORDER BY id DESC LIMIT $2'
  const { rows } = await db.query<Invoice>(
    sub === undefined
      ? {
          name: 'invoices_list_all',
          text: `SELECT ${columns} FROM invoices WHERE ${page}`,
          values: [before, limit],
        }
      : {
          name: 'invoices_list_own',
          text: `SELECT ${columns} FROM invoices WHERE sub = $3 AND ${page}`,
          values: [before, limit, sub],
        },
  )
  return rows
}
