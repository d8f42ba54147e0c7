import { hasLabels, type Json, list, namesOf, type Objects, ofKind, podsOf } from '../objects.ts'
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
