import { createService } from '@latchkey/service-kit'
import { createDatabase, type KeyFile, startEmptyFeed, writeKeyFile } from '@latchkey/test-kit'
import { type MintOptions, mintToken } from '@latchkey/verify/testing'
import type { Test } from 'tap'
import { orders } from '../src/app.ts'

export const issuer = 'https://sso.test'

/** Differences from a valid token for orders. */
export type TokenOptions = Partial<MintOptions>

/**
 * Starts the orders service on a free port, with new keys and, by default, a new database.
 *
 * @param service whose key file it gets
 */
export async function startOrders(t: Test, databaseUrl?: string, service = 'orders') {
  const keys: KeyFile = writeKeyFile(t)
  const app = await createService(orders, {
    LATCHKEY_HOST: '127.0.0.1',
    LATCHKEY_PORT: 0,
    LATCHKEY_INSTANCE: 'orders-1',
    LATCHKEY_LOG_LEVEL: 'silent',
    LATCHKEY_DRAIN_SECONDS: 0,
    LATCHKEY_ISSUER: issuer,
    LATCHKEY_KEYS_FILE: keys.exportFor(service),
    LATCHKEY_DATABASE_URL: databaseUrl ?? (await createDatabase(t)),
    LATCHKEY_DATABASE_POOL_MAX: 5,
    LATCHKEY_AUTH_URL: await startEmptyFeed(t),
    LATCHKEY_REVOCATIONS_ON_STALE: 'allow',
    LATCHKEY_REVOCATIONS_MAX_STALE_SECONDS: 30,
  })
  t.teardown(() => app.close())
  const url = await app.listen({ host: '127.0.0.1', port: 0 })

  function token(options: TokenOptions = {}): string {
    const scopes = ['orders:read', 'orders:write']
    return mintToken({ key: keys, issuer, audience: 'orders', scopes, ...options })
  }

  /** Sends a request with a valid token, or with one that differs in `as`. */
  async function request(method: string, path: string, body?: unknown, as: TokenOptions = {}) {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token(as)}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    // biome-ignore lint/suspicious/noExplicitAny: the assertions check its shape
    const reply: any = await response.json()
    return { status: response.status, headers: response.headers, body: reply }
  }

  return { app, url, keys, token, request }
}
