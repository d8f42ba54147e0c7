import { Type } from 'typebox'

/** The settings of the billing service, in addition to those of every service that verifies tokens. */
export const settings = {
  /** URL of the orders service. A path is kept: behind an edge each service has one. */
  LATCHKEY_ORDERS_URL: Type.String({ pattern: '^https?://' }),
}
