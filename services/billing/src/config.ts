import { Type } from 'typebox'

/** The settings of the billing service, in addition to those of every service that verifies tokens. */
export const settings = {
  /** URL of the orders service. It may contain a path, because an edge gives each service its own path. */
  LATCHKEY_ORDERS_URL: Type.String({ pattern: '^https?://' }),
}
