import { environmentOf, find, type Json, list, type Objects, ofKind, podsOf } from './objects.ts'

/** What only operators, other services and the cluster request of a service. */
export const inwardPaths = (service: string) => [
  ...['/metrics', '/livez', '/readyz'],
  ...(service === 'auth' ? ['/v1/admin', '/v1/revocations', '/v1/keys'] : []),
]

/** What a browser requests of the pages of a service, at a host of their own. */
export const pagePaths = ['/', '/auth/login', '/auth/callback', '/auth/logout']

/** The hosts of pages, each with its service, as the services know them. */
export const pageHosts = (objects: Objects): Map<string, string> =>
  new Map(
    podsOf(objects).flatMap(({ name, pod }) => {
      const { LATCHKEY_BASE_URL: url } = environmentOf(objects, pod)
      return url === undefined ? [] : [[new URL(url).host, name]]
    }),
  )

/** A path that strangers can request, with the path that it has at its service. */
interface Published {
  readonly host: string
  readonly path: string
  readonly inner: string
  readonly isExact: boolean
  readonly service: string
  readonly port: string | number
}

export const traefik = 'traefik.ingress.kubernetes.io/router.'

/** The middlewares of an Ingress; `undefined` for one that is missing. */
export const middlewaresOf = (objects: Objects, { metadata }: Json) =>
  list(metadata.annotations?.[`${traefik}middlewares`]?.split(',')).map((name) =>
    find(objects, 'Middleware', name.replace(/^latchkey-(.+)@kubernetescrd$/, '$1')),
  )

export const redirects = (objects: Objects, ingress: Json) =>
  middlewaresOf(objects, ingress).some((one) => one?.spec.redirectScheme?.scheme === 'https')

/** The Ingresses that publish something other than a redirect. */
export const publishing = (objects: Objects) =>
  ofKind(objects, 'Ingress').filter((ingress) => !redirects(objects, ingress))

/** The rules of HTTPRoutes that lead to a Service. */
export const routesOf = (objects: Objects) =>
  ofKind(objects, 'HTTPRoute').flatMap((route) =>
    list(route.spec.rules)
      .filter((rule) => list(rule.backendRefs).length > 0)
      .map((rule) => ({ route, rule })),
  )

/** Everything that Ingresses and HTTPRoutes publish. */
export function findPublished(objects: Objects): Published[] {
  const byIngress = publishing(objects).flatMap((ingress) => {
    const middlewares = middlewaresOf(objects, ingress)
    const paths = list(ingress.spec.rules).flatMap(({ host, http }) =>
      list(http.paths).map((path) => ({ host, ...path })),
    )
    return paths.map(({ host, path, pathType, backend: { service } }) => {
      const inner = middlewares.reduce(passThrough, path)
      const isExact = pathType === 'Exact'
      return { host, path, inner, isExact, service: service.name, port: service.port.name }
    })
  })
  const byRoute = routesOf(objects).flatMap(({ route, rule }) => {
    const rewrites = list(rule.filters).map(({ urlRewrite }) => urlRewrite?.path)
    return list(rule.matches ?? [{}]).flatMap(({ path }) => {
      const { type = 'PathPrefix', value = '/' } = path ?? {}
      const { replaceFullPath, replacePrefixMatch } = rewrites.find((one) => one) ?? {}
      const inner = (type === 'Exact' ? replaceFullPath : replacePrefixMatch) ?? value
      return list(rule.backendRefs).flatMap(({ name: service, port }) =>
        list(route.spec.hostnames).map((host) => {
          return { host, path: value, inner, isExact: type === 'Exact', service, port }
        }),
      )
    })
  })
  return [...byIngress, ...byRoute]
}

/** What a middleware of Traefik makes of a path. */
function passThrough(path: string, middleware: Json): string {
  const { stripPrefix, replacePathRegex } = middleware?.spec ?? {}
  if (replacePathRegex) {
    return path.replace(new RegExp(replacePathRegex.regex), replacePathRegex.replacement)
  }
  const prefix = list(stripPrefix?.prefixes).find((one) => `${path}/`.startsWith(`${one}/`)) ?? ''
  return path.slice(prefix.length)
}

/**
 * Whether a published path leads to a path of its service. Traefik compares prefixes as text: `/v1/me`
 * also leads to `/v1/metrics`.
 */
export const leadsTo = ({ inner, isExact }: Published, path: string) =>
  isExact ? inner === path : path.startsWith(inner.replace(/\/$/, ''))
