import { ProblemError } from '@latchkey/service-kit'
import { Ajv } from 'ajv'
import { type Static, Type } from 'typebox'

/** The members of an order that billing uses; orders may send more. */
const Order = Type.Object({
  id: Type.String(),
  sub: Type.String({ minLength: 1 }),
  item: Type.String(),
  total_cents: Type.Integer({ minimum: 0 }),
})
export type Order = Static<typeof Order>

const ajv = new Ajv()
const isOrder = ajv.compile<Order>(Order)
const OrderPage = Type.Object({ orders: Type.Array(Order) })
const isOrderPage = ajv.compile<Static<typeof OrderPage>>(OrderPage)

/** The request on whose behalf billing calls orders. */
export interface Caller {
  /** The caller's own `Authorization` header: orders authorizes the caller, not billing. */
  authorization: string
  requestId: string
}

/** Longest time of the whole call, including the retry and the body, in milliseconds. */
const timeoutMs = 2_000
/** Largest response body, in bytes; an order is a few hundred bytes. */
const maxBodyBytes = 64 * 1024

/**
 * Gets an order from the orders service with the caller's token.
 *
 * @throws ProblemError 404 `order_not_found` when the caller has no such order; 401
 *   `token_refused_by_orders` or 403 `order_forbidden` when orders does not accept the token; 503
 *   `orders_unavailable` when orders is unreachable, slow, or sends an invalid response
 */
export async function getOrder(ordersUrl: string, id: string, caller: Caller): Promise<Order> {
  const order = await ask(ordersUrl, `v1/orders/${id}`, caller)
  if (isOrder(order) && order.id === id) return order
  throw ordersUnavailable()
}

/**
 * Lists the latest orders with the caller's token.
 *
 * @throws ProblemError as `getOrder`
 */
export async function listOrders(ordersUrl: string, caller: Caller): Promise<Order[]> {
  const page = await ask(ordersUrl, 'v1/orders', caller)
  if (isOrderPage(page)) return page.orders
  throw ordersUnavailable()
}

/** @returns the body of the answer, which may be anything */
async function ask(ordersUrl: string, path: string, caller: Caller): Promise<unknown> {
  const response = await fetchOrders(new URL(path, withSlash(ordersUrl)), caller)
  const { status } = response
  if (status === 200) return readJson(response)
  await response.body?.cancel()
  if (status === 404) {
    throw new ProblemError(404, 'order_not_found', 'You have no order with this ID.')
  }
  if (status === 401) {
    throw new ProblemError(
      401,
      'token_refused_by_orders',
      'The orders service refused this token.',
      { 'www-authenticate': 'Bearer realm="latchkey", error="invalid_token"' }, // RFC 6750 section 3.1
    )
  }
  if (status === 403) {
    throw new ProblemError(403, 'order_forbidden', 'This token does not permit reading orders.')
  }
  throw ordersUnavailable()
}

async function fetchOrders(url: URL, { authorization, requestId }: Caller): Promise<Response> {
  const options: RequestInit = {
    headers: { authorization, 'x-request-id': requestId, accept: 'application/json' },
    redirect: 'error', // A redirect could send the token to another host.
    signal: AbortSignal.timeout(timeoutMs),
  }
  // A kept-alive connection may close with its instance. A GET is safe to repeat once.
  return fetch(url, options)
    .catch(() => fetch(url, options))
    .catch(() => Promise.reject(ordersUnavailable()))
}

/** Reads at most `maxBodyBytes`. */
async function readJson({ body }: Response): Promise<unknown> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of body ?? []) {
      size += chunk.byteLength
      if (size > maxBodyBytes) throw ordersUnavailable()
      chunks.push(chunk)
    }
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch {
    throw ordersUnavailable()
  }
}

function ordersUnavailable(): ProblemError {
  return new ProblemError(
    503,
    'orders_unavailable',
    'The orders service is unavailable. Try again shortly.',
    { 'retry-after': '1' },
  )
}

function withSlash(url: string): string {
  return url.endsWith('/') ? url : `${url}/`
}
