/**
 * The services of the cluster, in the order they are shown. A new entry is all the cluster needs:
 * the service gets a database, a role, instances and a route from the edge, tokens are issued for
 * it, and every user gets its scopes at login. `calls` names the services whose addresses it is
 * told.
 */
const services = [
  { name: 'auth', scopes: [], calls: [] },
  { name: 'orders', scopes: ['orders:read', 'orders:write'], calls: ['auth'] },
  { name: 'billing', scopes: ['invoices:read', 'invoices:write'], calls: ['auth', 'orders'] },
] as const

export type ServiceName = (typeof services)[number]['name']

export const serviceNames: readonly ServiceName[] = services.map(({ name }) => name)

/** The services that accept tokens. */
export const resourceServiceNames = serviceNames.filter((name) => name !== 'auth')

interface SettingsOfServices {
  /** Where services reach each other. */
  readonly edgeUrl: string
  readonly audiences: readonly string[]
  readonly smtpUrl: string
  readonly registration: string
}

/** The settings that differ between services. */
export function serviceSettings(
  name: ServiceName,
  { edgeUrl, audiences, smtpUrl, registration }: SettingsOfServices,
): NodeJS.ProcessEnv {
  if (name === 'auth') {
    return {
      LATCHKEY_AUDIENCES: audiences.join(' '),
      LATCHKEY_DEFAULT_SCOPE: services.flatMap(({ scopes }) => scopes).join(' '),
      LATCHKEY_REGISTRATION: registration,
      LATCHKEY_SMTP_URL: smtpUrl,
      LATCHKEY_MAIL_FROM: 'Latchkey <no-reply@example.com>',
    }
  }
  const { calls = [] } = services.find((service) => service.name === name) ?? {}
  return Object.fromEntries(
    calls.map((called) => [`LATCHKEY_${called.toUpperCase()}_URL`, `${edgeUrl}/${called}`]),
  )
}
