import { find, type Json, list, type Objects, ofKind } from './objects.ts'

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
