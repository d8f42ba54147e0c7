import { authentication, createServer, database, type Service } from '@latchkey/service-kit'
import type { BillingConfig } from './config.ts'
import { invoicesRoutes } from './invoices/routes.ts'
import { whoamiRoute } from './whoami.ts'

/** Puts the billing service together. Every route below needs a token, unless it says otherwise. */
export async function buildApp(config: BillingConfig): Promise<Service> {
  const app = createServer({ name: 'billing', config })
  await app.register(authentication, { service: 'billing', config })
  await app.register(database, {
    connectionString: config.LATCHKEY_DATABASE_URL,
    instance: config.LATCHKEY_INSTANCE,
    max: config.LATCHKEY_DATABASE_POOL_MAX,
    migrations: new URL('../migrations/', import.meta.url),
    migrateOnStart: config.LATCHKEY_MIGRATE_ON_START,
    pooler: config.LATCHKEY_DATABASE_POOLER,
  })
  await app.register(whoamiRoute, { servedBy: config.LATCHKEY_INSTANCE })
  await app.register(invoicesRoutes, { prefix: '/v1', ordersUrl: config.LATCHKEY_ORDERS_URL })
  return app
}
