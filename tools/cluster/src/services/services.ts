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

/** The address of a service's pages: a host of its own, so that it has cookies of its own. */
export const appUrl = (name: ServiceName, edgeUrl: string): string =>
  `http://${name}.localhost:${new URL(edgeUrl).port || 80}`

/** The clients that people sign in to: what their tokens are good for. */
export const clients = services
  .filter(({ name }) => name !== 'auth')
  .map(({ name, calls }) => {
    const called = services.filter((service) => (calls as readonly string[]).includes(service.name))
    const reached = [...services.filter((service) => service.name === name), ...called].filter(
      (service) => service.name !== 'auth',
    )
    return {
      name,
      audiences: reached.map((service) => service.name),
      scope: reached.flatMap(({ scopes }) => scopes).join(' '),
    }
  })

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
  const urls = calls.map((called) => [
    `LATCHKEY_${called.toUpperCase()}_URL`,
    `${edgeUrl}/${called}`,
  ])
  return { ...Object.fromEntries(urls), LATCHKEY_BASE_URL: appUrl(name, edgeUrl) }
}
