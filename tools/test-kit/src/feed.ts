import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { HasTeardown } from './database.ts'

/**
 * Starts a stand-in for the auth service whose revocation feed is empty. A service waits for its
 * feed before it serves. The test's teardown stops it.
 *
 * @returns its URL, for `LATCHKEY_AUTH_URL`
 */
export async function startEmptyFeed(t: HasTeardown): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(304).end())
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
