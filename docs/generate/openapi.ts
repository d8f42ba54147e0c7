import { createService, loadConfig } from '../../packages/service-kit/src/index.ts'
import { auth } from '../../services/auth/src/app.ts'
import { billing } from '../../services/billing/src/app.ts'
import { orders } from '../../services/orders/src/app.ts'
import { startEmptyFeed, writeKeyFile } from '../../tools/test-kit/src/index.ts'

/** Where `npm run docs` writes the description of a service. */
export const openapiFile = (service: string) =>
  new URL(`../openapi/${service}.json`, import.meta.url)

/**
 * Renders the OpenAPI descriptions of all services, by name. They are those that the running
 * services publish, but with the address of the local cluster. No database is needed.
 */
export async function renderOpenapi(): Promise<Map<string, string>> {
  const cleanUps: (() => unknown)[] = []
  const scope = { teardown: (cleanUp: () => unknown) => cleanUps.push(cleanUp) }
  const env = {
    LATCHKEY_ISSUER: 'http://localhost:8080/auth',
    LATCHKEY_LOG_LEVEL: 'silent',
    LATCHKEY_KEYS_FILE: writeKeyFile(scope).file,
    LATCHKEY_DATABASE_URL: 'postgres://127.0.0.1:1/none',
    LATCHKEY_MIGRATE_ON_START: 'false',
    LATCHKEY_AUDIENCES: 'orders billing',
    LATCHKEY_AUTH_URL: await startEmptyFeed(scope),
    LATCHKEY_ORDERS_URL: 'http://localhost:8080/orders',
  }
  const apps = {
    auth: await createService(auth, loadConfig(auth.settings, env)),
    orders: await createService(orders, loadConfig(orders.settings, env)),
    billing: await createService(billing, loadConfig(billing.settings, env)),
  }
  const rendered = new Map<string, string>()
  for (const [name, app] of Object.entries(apps)) {
    await app.ready()
    const servers = [{ url: `http://localhost:8080/${name}` }]
    rendered.set(name, `${JSON.stringify({ ...app.swagger(), servers }, null, 2)}\n`)
    await app.close()
  }
  for (const cleanUp of cleanUps) await cleanUp()
  return rendered
}
