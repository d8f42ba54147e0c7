import { resourceService } from '@latchkey/service-kit'
import { settings } from './config.ts'
import { invoicesPage } from './invoices/page.ts'
import { invoicesRoutes } from './invoices/routes.ts'

/** The billing service: its routes and its own database. */
export const billing = resourceService({
  name: 'billing',
  settings,
  migrations: new URL('../migrations/', import.meta.url),
  routes: (app, { LATCHKEY_ORDERS_URL: ordersUrl, LATCHKEY_ISSUER: issuer, LATCHKEY_BASE_URL }) => {
    app.register(invoicesRoutes, { prefix: '/v1', ordersUrl })
    if (LATCHKEY_BASE_URL) app.register(invoicesPage, { ordersUrl, issuer })
  },
})
