import { serviceSettings } from '@latchkey/service-kit'
import { type Static, Type } from 'typebox'

/** The settings of the orders service: those every service has. */
export const settings = Type.Object(serviceSettings)

/** The configuration of the orders service. */
export type OrdersConfig = Static<typeof settings>
