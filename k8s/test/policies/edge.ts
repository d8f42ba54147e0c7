import { find, type Json, list, ofKind } from '../objects.ts'
import {
  findPublished,
  inwardPaths,
  leadsTo,
  middlewaresOf,
  publishing,
  redirects,
  routesOf,
  traefik,
} from '../publications.ts'
import { all, faults, none, type Policy } from './policy.ts'

/** Published paths lead to Services that exist, below their names, and to nothing inward. */
export const published: Policy = (objects) =>
  findPublished(objects).flatMap((one) => {
    const { path, inner, service, port } = one
    const ports = list(find(objects, 'Service', service)?.spec.ports)
    // Below an inward path too: a prefix can be longer than `/v1/admin`.
    const exposed = inwardPaths(service).filter(
      (path) => leadsTo(one, path) || inner.startsWith(path),
    )
    return faults(path, {
      'has no Service': !ports.some((open) => open.name === port || open.port === port),
      [`reaches ${service} unstripped`]: `/${service}${inner}` !== path,
      [`publishes ${exposed}`]: exposed.length > 0,
    })
  })

/** Ingresses publish over TLS only, and redirect plain HTTP. */
const ingressesAreEncrypted: Policy = (objects) =>
  ofKind(objects, 'Ingress').flatMap((ingress) => {
    const { metadata, spec } = ingress
    const entry = metadata.annotations?.[`${traefik}entrypoints`]
    const hosts = list(spec.rules).map(({ host }) => host)
    const missing = {
      'a middleware is missing': middlewaresOf(objects, ingress).includes(undefined),
    }
    if (redirects(objects, ingress)) {
      return faults(metadata.name, { ...missing, 'does not redirect plain HTTP': entry !== 'web' })
    }
    const covered = list(spec.tls).flatMap(({ secretName, hosts }) => (secretName ? hosts : []))
    const redirected = ofKind(objects, 'Ingress')
      .filter((one) => redirects(objects, one))
      .flatMap((one) => list(one.spec.rules).map(({ host }) => host))
    return faults(metadata.name, {
      ...missing,
      'is without TLS': hosts.some((host) => !covered.includes(host)) || entry !== 'websecure',
      'has a host that is not redirected to HTTPS': !hosts.every((host) =>
        redirected.includes(host),
      ),
    })
  })

/** HTTPRoutes publish at listeners with TLS only; the others have a redirect. */
const routesAreEncrypted: Policy = (objects) =>
  ofKind(objects, 'Gateway').flatMap(({ metadata: { name }, spec }) =>
    list(spec.listeners).flatMap((listener) => {
      const here = ({ spec }: Json) =>
        list(spec.parentRefs).some((to) => [undefined, listener.name].includes(to.sectionName))
      const isOpen = listener.protocol !== 'HTTPS' || !listener.tls?.certificateRefs?.length
      const isRedirected = ofKind(objects, 'HTTPRoute').some(
        (route) =>
          here(route) &&
          route.spec.hostnames.includes(listener.hostname) &&
          list(route.spec.rules).some(({ filters }) =>
            list(filters).some((one) => one.requestRedirect?.scheme === 'https'),
          ),
      )
      return faults(`${name} ${listener.name}`, {
        'publishes without TLS': isOpen && routesOf(objects).some(({ route }) => here(route)),
        'does not redirect to HTTPS': isOpen && !isRedirected,
      })
    }),
  )

export const encrypted = all(ingressesAreEncrypted, routesAreEncrypted)

const isBlaming = ([name]: [string, unknown]) => /healthcheck|circuit/i.test(name)

/**
 * A bad request of one client costs that client alone: the proxy neither counts it against a pod nor
 * sends it to the next one.
 */
export const blameless: Policy = (objects) => [
  ...ofKind(objects, 'Middleware').flatMap(({ metadata, spec }) =>
    faults(metadata.name, {
      'has a circuit breaker': spec.circuitBreaker,
      'repeats requests that were sent': spec.retry?.status || spec.retry?.retryNonIdempotentMethod,
    }),
  ),
  ...ofKind(objects, 'Service').flatMap(({ metadata }) =>
    faults(metadata.name, {
      'has a passive health check': !none(isBlaming)(Object.entries(metadata.annotations ?? {})),
    }),
  ),
  ...routesOf(objects).flatMap(({ route, rule }) =>
    faults(route.metadata.name, { 'repeats requests that were sent': rule.retry }),
  ),
]

/** The services are published, by Ingress or by HTTPRoute, at the host of the issuer alone. */
export const publishedOnce: Policy = (objects) => {
  const [settings] = ofKind(objects, 'ConfigMap')
  const issuer = new URL(settings?.data.LATCHKEY_ISSUER)
  const hosts = [
    ...ofKind(objects, 'Ingress').flatMap(({ spec }) => list(spec.rules).map(({ host }) => host)),
    ...ofKind(objects, 'HTTPRoute').flatMap(({ spec }) => list(spec.hostnames)),
    ...ofKind(objects, 'Gateway').flatMap(({ spec }) =>
      list(spec.listeners).map(({ hostname }) => hostname),
    ),
  ]
  return faults('the edge', {
    'has a host that is not the issuer’s': hosts.some((host) => host !== issuer.host),
    'publishes by Ingress and by HTTPRoute':
      publishing(objects).length > 0 && routesOf(objects).length > 0,
    'publishes nothing': findPublished(objects).length === 0,
  })
}
