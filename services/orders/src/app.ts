import { resourceService } from '@latchkey/service-kit'
import { ordersRoutes } from './orders/routes.ts'

/** The orders service: its routes and its own database. */
export const orders = resourceService({
  name: 'orders',
  migrations: new URL('../migrations/', import.meta.url),
  routes: (app) => app.register(ordersRoutes, { prefix: '/v1' }),
})
