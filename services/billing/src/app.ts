import { createServer, database, type Service } from '@latchkey/service-kit'
import { createVerifier, openKeyring } from '@latchkey/verify'
import { latchkey } from '@latchkey/verify/fastify'
import type { BillingConfig } from './config.ts'
import { invoicesRoutes } from './invoices/routes.ts'
import { whoamiRoute } from './whoami.ts'

/** Puts the billing service together. Every route below needs a token, unless it says otherwise. */
export async function buildApp(config: BillingConfig): Promise<Service> {
  const app = createServer({ name: 'billing', config })
  const keys = openKeyring(config.LATCHKEY_KEYS_FILE, {
    onError: (err) => app.log.error({ err }, 'new keys refused; the old ones stay in use'),
  })
  app.addHook('onClose', async () => keys.close())

  const issuer = config.LATCHKEY_ISSUER
  await app.register(latchkey, { verifier: createVerifier({ keys, issuer, audience: 'billing' }) })
  await app.register(database, {
    connectionString: config.LATCHKEY_DATABASE_URL,
    instance: config.LATCHKEY_INSTANCE,
    max: config.LATCHKEY_DATABASE_POOL_MAX,
    migrations: new URL('../migrations/', import.meta.url),
  })
  await app.register(whoamiRoute, { servedBy: config.LATCHKEY_INSTANCE })
  await app.register(invoicesRoutes, { prefix: '/v1', ordersUrl: config.LATCHKEY_ORDERS_URL })
  return app
}
