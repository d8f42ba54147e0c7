import {
  find,
  hasLabels,
  type Json,
  list,
  namesOf,
  type Objects,
  ofKind,
  podsOf,
} from '../objects.ts'
import { faults, mismatches, otherThan, type Policy } from './policy.ts'

const namesSelectedBy = (objects: Objects, labels: object) =>
  podsOf(objects)
    .filter((pods) => hasLabels(pods.labels, labels))
    .map(({ name }) => name)

/** A workload and a Service select the pods of their own name, and the Service a port they have. */
export const selectorsMatch: Policy = (objects) => [
  ...ofKind(objects, 'Deployment', 'StatefulSet', 'Service').flatMap(({ kind, metadata, spec }) => {
    const selected = namesSelectedBy(objects, spec.selector.matchLabels ?? spec.selector)
    return otherThan([metadata.name], `${kind} selects`, selected)
  }),
  ...ofKind(objects, 'Service').flatMap(({ metadata: { name }, spec }) => {
    const pods = podsOf(objects).find((one) => one.name === name)
    const open = list(pods?.pod.containers[0].ports).map((port) => port.name)
    const hasPort = ({ targetPort }: Json) => open.includes(targetPort)
    return faults(`Service ${name}`, {
      'has sticky sessions': spec.sessionAffinity !== 'None',
      'has a port that no pod has': !spec.ports.every(hasPort),
    })
  }),
]

/** Every server has an autoscaler and a disruption budget, and those have nothing else. */
export const scaled: Policy = (objects) => {
  const scaledNames = ofKind(objects, 'HorizontalPodAutoscaler')
    .filter(({ spec }) => spec.minReplicas >= 2)
    .map(({ spec }) => spec.scaleTargetRef.name)
  const protectedNames = ofKind(objects, 'PodDisruptionBudget').flatMap(({ spec }) =>
    namesSelectedBy(objects, spec.selector.matchLabels),
  )
  const servers = namesOf(objects, 'Deployment')
  return [
    ...otherThan(servers, 'autoscalers scale', scaledNames),
    ...otherThan(servers, 'disruption budgets protect', protectedNames),
    // Replicas would undo what the autoscaler sets.
    ...ofKind(objects, 'Deployment').flatMap(({ metadata, spec }) =>
      mismatches(metadata.name, spec, { replicas: undefined }),
    ),
  ]
}

const inward = ['/metrics', '/livez', '/readyz']

/** The Ingress uses TLS, leads to Services that exist, strips the prefix, and hides inner paths. */
export const published: Policy = (objects) =>
  ofKind(objects, 'Ingress').flatMap(({ metadata, spec }) => {
    const covered = list(spec.tls).flatMap(({ secretName, hosts }) => (secretName ? hosts : []))
    const annotation = metadata.annotations?.['traefik.ingress.kubernetes.io/router.middlewares']
    const middlewares = list(annotation?.split(',')).map((name) =>
      find(objects, 'Middleware', name.replace(/^latchkey-(.+)@kubernetescrd$/, '$1')),
    )
    const prefixes = middlewares.flatMap((one) => list(one?.spec.stripPrefix?.prefixes))
    const paths = list(spec.rules).flatMap(({ http }) => list(http.paths))
    return [
      ...faults('Ingress', {
        'a middleware is missing': middlewares.includes(undefined),
        'is without TLS': list(spec.rules).some(({ host }) => !covered.includes(host)),
      }),
      ...paths.flatMap(({ path, pathType, backend: { service } }) => {
        const ports = list(find(objects, 'Service', service.name)?.spec.ports)
        const prefix = prefixes.find((one) => `${path}/`.startsWith(`${one}/`)) ?? ''
        const inner = path.slice(prefix.length).replace(/\/$/, '')
        const leadsTo = (one: string) =>
          pathType === 'Exact' ? inner === one : `${one}/`.startsWith(`${inner}/`)
        return faults(path, {
          'has no Service': !ports.some(({ name }) => name === service.port?.name),
          [`reaches ${service.name} unstripped`]: prefix !== `/${service.name}`,
          [`publishes ${inward.filter(leadsTo)}`]: inward.some(leadsTo),
        })
      }),
    ]
  })

/** Prometheus scrapes every server, by ports that exist, as a job of the server's name. */
export const scraped: Policy = (objects) =>
  ofKind(objects, 'ServiceMonitor').flatMap(({ spec: { selector, endpoints, jobLabel } }) => {
    const services = ofKind(objects, 'Service').filter(({ metadata }) =>
      hasLabels(metadata.labels, selector.matchLabels),
    )
    const names = namesOf(services, 'Service')
    const jobs = services.map(({ metadata }) => metadata.labels[jobLabel])
    const hasPorts = ({ spec }: Json) =>
      list(endpoints).every(({ port }) => list(spec.ports).some(({ name }) => name === port))
    return [
      ...otherThan(namesOf(objects, 'Deployment'), 'Prometheus scrapes', names),
      ...otherThan(names, 'jobs are', jobs),
      ...faults('Prometheus', { 'scrapes a port that is missing': !services.every(hasPorts) }),
    ]
  })
