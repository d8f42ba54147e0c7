import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createService } from '@latchkey/service-kit'
import { createDatabase, type KeyFile, startEmptyFeed, writeKeyFile } from '@latchkey/test-kit'
import { startService } from '@latchkey/test-kit/service'
import { type MintOptions, mintToken } from '@latchkey/verify/testing'
import type { Test } from 'tap'
import { billing } from '../src/app.ts'

const issuer = 'https://sso.test'

/** Differences from a valid token for billing and orders. */
type TokenOptions = Partial<MintOptions>

/** Starts billing on a free port, with a new database, as a client of the given orders service. */
export async function startBilling(t: Test, ordersUrl: string, keys: KeyFile = writeKeyFile(t)) {
  const app = await createService(billing, {
    LATCHKEY_HOST: '127.0.0.1',
    LATCHKEY_PORT: 0,
    LATCHKEY_INSTANCE: 'billing-1',
    LATCHKEY_LOG_LEVEL: 'silent',
    LATCHKEY_DRAIN_SECONDS: 0,
    LATCHKEY_ISSUER: issuer,
    LATCHKEY_KEYS_FILE: keys.exportFor('billing'),
    LATCHKEY_DATABASE_URL: await createDatabase(t),
    LATCHKEY_DATABASE_POOL_MAX: 5,
    LATCHKEY_AUTH_URL: await startEmptyFeed(t),
    LATCHKEY_REVOCATIONS_ON_STALE: 'allow',
    LATCHKEY_REVOCATIONS_MAX_STALE_SECONDS: 30,
    LATCHKEY_ORDERS_URL: ordersUrl,
  })
  t.teardown(() => app.close())
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return { app, url, request: requester(keys, url) }
}

/** Sends requests with a valid token for both services, or with one that differs in `as`. */
function requester(keys: KeyFile, url: string) {
  return async (method: string, path: string, body?: unknown, as: TokenOptions = {}) => {
    const token = mintToken({
      key: keys,
      issuer,
      audience: ['billing', 'orders'],
      scopes: ['orders:read', 'orders:write', 'invoices:read', 'invoices:write'],
      ...as,
    })
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    // biome-ignore lint/suspicious/noExplicitAny: the assertions check its shape
    const reply: any = await response.json()
    return { status: response.status, headers: response.headers, body: reply }
  }
}

/** The orders service as its own process. */
export async function startOrders(t: Test, keys: KeyFile) {
  const orders = await startService('orders', {
    LATCHKEY_INSTANCE: 'orders-1',
    LATCHKEY_AUTH_URL: await startEmptyFeed(t),
    LATCHKEY_ISSUER: issuer,
    LATCHKEY_KEYS_FILE: keys.exportFor('orders'),
    LATCHKEY_DATABASE_URL: await createDatabase(t),
  })
  t.teardown(orders.stop)
  return { ...orders, request: requester(keys, orders.url) }
}

/** Starts a server that answers in place of orders. */
export async function startStandIn(t: Test, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
