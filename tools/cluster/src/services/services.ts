interface ServiceDefinition {
  readonly name: string
  /** The scopes of its API. The demo user, like every user, gets all of them at login. */
  readonly scopes: readonly string[]
  /** Services it calls; it is told their addresses. */
  readonly calls: readonly string[]
}

/**
 * The services of the cluster, in the order they are shown. A new entry is all the cluster needs: it
 * gets a database, a role, instances and a route from the edge, and tokens are issued for it.
 */
const services = [
  { name: 'auth', scopes: [], calls: [] },
  { name: 'orders', scopes: ['orders:read', 'orders:write'], calls: ['auth'] },
  { name: 'billing', scopes: ['invoices:read', 'invoices:write'], calls: ['auth', 'orders'] },
] as const satisfies readonly ServiceDefinition[]

export type ServiceName = (typeof services)[number]['name']

export const serviceNames: readonly ServiceName[] = services.map(({ name }) => name)

/** The services that accept tokens. */
export const resourceServiceNames = serviceNames.filter((name) => name !== 'auth')

/** The settings that depend on which service it is. `edgeUrl` is where services reach each other. */
export function serviceSettings(name: ServiceName, edgeUrl: string): NodeJS.ProcessEnv {
  if (name === 'auth') {
    return {
      LATCHKEY_AUDIENCES: resourceServiceNames.join(' '),
      LATCHKEY_DEFAULT_SCOPE: services.flatMap(({ scopes }) => scopes).join(' '),
    }
  }
  const { calls = [] } = services.find((service) => service.name === name) ?? {}
  return Object.fromEntries(
    calls.map((called) => [`LATCHKEY_${called.toUpperCase()}_URL`, `${edgeUrl}/${called}`]),
  )
}
