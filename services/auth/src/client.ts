import type { Claims } from '@latchkey/verify'

/** A service, or the operator, that has authenticated itself. */
export interface Client {
  /** The name that is bound to its key; unproven without one. */
  readonly name: string
  /** The ID of its key: `<root key>/<name>`. `undefined`: it has authenticated by the shared secret. */
  readonly kid: string | undefined
}

/** The clients by the claims of their assertions: no claim of a token can name a client. */
const clients = new WeakMap<object, Client>()

/** The client whose assertion was verified; `undefined` for the claims of a user's token. */
export const findClient = (claims: object): Client | undefined => clients.get(claims)

/** Remembers that claims are those of a client's assertion. @returns the claims */
export function rememberClient(claims: Claims, client: Client): Claims {
  clients.set(claims, client)
  return claims
}
