import { serviceSettings, verifierSettings } from '@latchkey/service-kit'
import { type Static, Type } from 'typebox'

/** The settings of the billing service. */
export const settings = Type.Object({
  ...serviceSettings,
  ...verifierSettings,
  /** Where the orders service answers; a path, as an edge gives each service one, is kept. */
  LATCHKEY_ORDERS_URL: Type.String({ pattern: '^https?://' }),
})

/** The configuration of the billing service. */
export type BillingConfig = Static<typeof settings>
