import { find, type Json, list, type Objects, ofKind, settingsOf } from '../objects.ts'
import {
  findPublished,
  inwardPaths,
  leadsTo,
  middlewaresOf,
  pageHosts,
  pagePaths,
  publishing,
  redirects,
  routesOf,
  traefik,
} from '../publications.ts'
import { all, faults, none, type Policy } from './policy.ts'

/**
 * Published paths lead to Services that exist, and to nothing inward: below the name of the service,
 * or to the pages of a service at their own host.
 */
export const published: Policy = (objects) => {
  const apps = pageHosts(objects)
  return findPublished(objects).flatMap((one) => {
    const { host, path, inner, service, port } = one
    const isPage = apps.get(host) === service && one.isExact && pagePaths.includes(path)
    // RFC 8414 section 3.1 puts the path of the issuer last.
    const below =
      inner === metadata ? [`/auth${metadata}`, `${metadata}/auth`] : [`/${service}${inner}`]
    const ports = list(find(objects, 'Service', service)?.spec.ports)
    // Below an inward path too: a prefix can be longer than `/v1/admin`.
    const exposed = inwardPaths(service).filter(
      (path) => leadsTo(one, path) || inner.startsWith(path),
    )
    return faults(path, {
      'has no Service': !ports.some((open) => open.name === port || open.port === port),
      [`reaches ${service} unstripped`]: !apps.has(host) && !below.includes(path),
      [`is not a page of ${host}`]: apps.has(host) && !(isPage && inner === path),
      [`publishes ${exposed}`]: exposed.length > 0,
    })
  })
}

const metadata = '/.well-known/oauth-authorization-server'

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

const publishedHosts = (objects: Objects) => findPublished(objects).map(({ host }) => host)

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
          publishedHosts(objects).every((host) => route.spec.hostnames.includes(host)) &&
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

/**
 * The services are published, by Ingress or by HTTPRoute, at the host of the issuer, and their pages
 * at those of their settings.
 */
export const publishedOnce: Policy = (objects) => {
  const issuer = new URL(settingsOf(objects).LATCHKEY_ISSUER ?? '')
  const wanted = [issuer.host, ...pageHosts(objects).keys()]
  const isUnknown = (host: string) => !wanted.includes(host)
  const hosts = [
    ...ofKind(objects, 'Ingress').flatMap(({ spec }) => list(spec.rules).map(({ host }) => host)),
    ...ofKind(objects, 'HTTPRoute').flatMap(({ spec }) => list(spec.hostnames)),
  ]
  const missing = wanted.filter((host) => !publishedHosts(objects).includes(host))
  return faults('the edge', {
    'has a host that is in no setting': hosts.some(isUnknown),
    'publishes by Ingress and by HTTPRoute':
      publishing(objects).length > 0 && routesOf(objects).length > 0,
    [`publishes nothing at ${missing}`]: missing.length > 0,
  })
}
