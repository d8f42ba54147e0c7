import { find, type Json, list, type Objects, ofKind } from '../objects.ts'
import { all, faults, none, type Policy } from './policy.ts'

/** What only operators, other services and the cluster request of a service. */
export const inwardPaths = (service: string) => [
  ...['/metrics', '/livez', '/readyz'],
  ...(service === 'auth' ? ['/v1/admin', '/v1/revocations', '/v1/keys'] : []),
]

/** A path that strangers can request, with the path that it has at its service. */
interface Published {
  readonly path: string
  readonly inner: string
  readonly isExact: boolean
  readonly service: string
  readonly port: string | number
}

const traefik = 'traefik.ingress.kubernetes.io/router.'

/** The middlewares of an Ingress; `undefined` for one that is missing. */
const middlewaresOf = (objects: Objects, { metadata }: Json) =>
  list(metadata.annotations?.[`${traefik}middlewares`]?.split(',')).map((name) =>
    find(objects, 'Middleware', name.replace(/^latchkey-(.+)@kubernetescrd$/, '$1')),
  )

const redirects = (objects: Objects, ingress: Json) =>
  middlewaresOf(objects, ingress).some((one) => one?.spec.redirectScheme?.scheme === 'https')

/** The Ingresses that publish something other than a redirect. */
const publishing = (objects: Objects) =>
  ofKind(objects, 'Ingress').filter((ingress) => !redirects(objects, ingress))

/** The rules of HTTPRoutes that lead to a Service. */
const routesOf = (objects: Objects) =>
  ofKind(objects, 'HTTPRoute').flatMap((route) =>
    list(route.spec.rules)
      .filter((rule) => list(rule.backendRefs).length > 0)
      .map((rule) => ({ route, rule })),
  )

/** Everything that Ingresses and HTTPRoutes publish. */
export function findPublished(objects: Objects): Published[] {
  const byIngress = publishing(objects).flatMap((ingress) => {
    const middlewares = middlewaresOf(objects, ingress)
    const prefixes = middlewares.flatMap((one) => list(one?.spec.stripPrefix?.prefixes))
    const paths = list(ingress.spec.rules).flatMap(({ http }) => list(http.paths))
    return paths.map(({ path, pathType, backend: { service } }) => {
      const prefix = prefixes.find((one) => `${path}/`.startsWith(`${one}/`)) ?? ''
      const inner = path.slice(prefix.length)
      const isExact = pathType === 'Exact'
      return { path, inner, isExact, service: service.name, port: service.port.name }
    })
  })
  const byRoute = routesOf(objects).flatMap(({ rule }) => {
    const rewrites = list(rule.filters).map(({ urlRewrite }) => urlRewrite?.path)
    return list(rule.matches ?? [{}]).flatMap(({ path }) => {
      const { type = 'PathPrefix', value = '/' } = path ?? {}
      const { replaceFullPath, replacePrefixMatch } = rewrites.find((one) => one) ?? {}
      const inner = (type === 'Exact' ? replaceFullPath : replacePrefixMatch) ?? value
      return list(rule.backendRefs).map(({ name: service, port }) => {
        return { path: value, inner, isExact: type === 'Exact', service, port }
      })
    })
  })
  return [...byIngress, ...byRoute]
}

/**
 * Whether a published path leads to a path of its service. Traefik compares prefixes as text: `/v1/me`
 * also leads to `/v1/metrics`.
 */
export const leadsTo = ({ inner, isExact }: Published, path: string) =>
  isExact ? inner === path : path.startsWith(inner.replace(/\/$/, ''))

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

/** The services are published, by Ingress or by HTTPRoute. */
export const publishedOnce: Policy = (objects) =>
  faults('the edge', {
    'publishes by Ingress and by HTTPRoute':
      publishing(objects).length > 0 && routesOf(objects).length > 0,
    'publishes nothing': findPublished(objects).length === 0,
  })
