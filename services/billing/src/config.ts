import { Type } from 'typebox'

/** The settings of billing, in addition to those of every service that verifies tokens. */
export const settings = {
  LATCHKEY_ORDERS_URL: Type.String({
    format: 'url',
    description:
      'URL of the orders service. It may contain a path: an edge gives each service its own.',
  }),
}
