import { resourceService } from '@latchkey/service-kit'
import { settings } from './config.ts'
import { invoicesRoutes } from './invoices/routes.ts'

/** The billing service: its routes and its own database. */
export const billing = resourceService({
  name: 'billing',
  settings,
  migrations: new URL('../migrations/', import.meta.url),
  routes: (app, config) =>
    app.register(invoicesRoutes, { prefix: '/v1', ordersUrl: config.LATCHKEY_ORDERS_URL }),
})
