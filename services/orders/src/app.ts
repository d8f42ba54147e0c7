import { createServer, database, keyring, type Service } from '@latchkey/service-kit'
import { createVerifier } from '@latchkey/verify'
import { latchkey } from '@latchkey/verify/fastify'
import type { OrdersConfig } from './config.ts'
import { ordersRoutes } from './orders/routes.ts'
import { whoamiRoute } from './whoami.ts'

/** Puts the orders service together. Every route below needs a token, unless it says otherwise. */
export async function buildApp(config: OrdersConfig): Promise<Service> {
  const app = createServer({ name: 'orders', config })
  await app.register(keyring, { file: config.LATCHKEY_KEYS_FILE })
  const verifier = createVerifier({
    keys: app.keyring,
    issuer: config.LATCHKEY_ISSUER,
    audience: 'orders',
  })
  await app.register(latchkey, { verifier })
  await app.register(database, {
    connectionString: config.LATCHKEY_DATABASE_URL,
    instance: config.LATCHKEY_INSTANCE,
    max: config.LATCHKEY_DATABASE_POOL_MAX,
    migrations: new URL('../migrations/', import.meta.url),
  })
  await app.register(whoamiRoute, { servedBy: config.LATCHKEY_INSTANCE })
  await app.register(ordersRoutes, { prefix: '/v1' })
  return app
}
