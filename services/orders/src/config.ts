import { serviceSettings, verifierSettings } from '@latchkey/service-kit'
import { type Static, Type } from 'typebox'

/** The settings of the orders service: those of every service that verifies tokens. */
export const settings = Type.Object({ ...serviceSettings, ...verifierSettings })

/** The configuration of the orders service. */
export type OrdersConfig = Static<typeof settings>
