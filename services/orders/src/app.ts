import { resourceService } from '@latchkey/service-kit'
import { ordersPage } from './orders/page.ts'
import { ordersRoutes } from './orders/routes.ts'

/** The orders service: its routes and its own database. */
export const orders = resourceService({
  name: 'orders',
  migrations: new URL('../migrations/', import.meta.url),
  routes: (app, config) => {
    app.register(ordersRoutes, { prefix: '/v1' })
    if (config.LATCHKEY_BASE_URL) app.register(ordersPage, { issuer: config.LATCHKEY_ISSUER })
  },
})
