import { authentication, createServer, database, type Service } from '@latchkey/service-kit'
import type { OrdersConfig } from './config.ts'
import { ordersRoutes } from './orders/routes.ts'
import { whoamiRoute } from './whoami.ts'

/** Puts the orders service together. Every route below needs a token, unless it says otherwise. */
export async function buildApp(config: OrdersConfig): Promise<Service> {
  const app = createServer({ name: 'orders', config })
  await app.register(authentication, { service: 'orders', config })
  await app.register(database, {
    connectionString: config.LATCHKEY_DATABASE_URL,
    instance: config.LATCHKEY_INSTANCE,
    max: config.LATCHKEY_DATABASE_POOL_MAX,
    migrations: new URL('../migrations/', import.meta.url),
    migrateOnStart: config.LATCHKEY_MIGRATE_ON_START,
    pooler: config.LATCHKEY_DATABASE_POOLER,
  })
  await app.register(whoamiRoute, { servedBy: config.LATCHKEY_INSTANCE })
  await app.register(ordersRoutes, { prefix: '/v1' })
  return app
}
