import { hasLabels, ofKind, podsOf } from '../objects.ts'
import type { Policy } from './policy.ts'

/** Every workload selects its own pods; every Service those of one workload, by a port they have. */
export const selectorsMatch: Policy = (objects) => [
  ...[...ofKind(objects, 'Deployment'), ...ofKind(objects, 'StatefulSet')].flatMap(
    ({ metadata, spec }) => {
      const wanted = spec?.selector.matchLabels ?? {}
      const chosen = podsOf(objects).filter(({ labels }) => hasLabels(labels, wanted))
      return chosen.length === 1 && chosen[0]?.name === metadata?.name
        ? []
        : [`${metadata?.name}: selects ${chosen.map(({ name }) => name).join(', ') || 'no pods'}`]
    },
  ),
  ...ofKind(objects, 'Service').flatMap(({ metadata, spec }) => {
    const where = `Service ${metadata?.name}`
    const chosen = podsOf(objects).filter(({ labels }) => hasLabels(labels, spec?.selector))
    const ports = chosen.flatMap(({ spec }) => spec.containers.flatMap(({ ports = [] }) => ports))
    return [
      ...(chosen.length === 1 ? [] : [`${where}: selects ${chosen.length} workloads`]),
      ...(spec?.sessionAffinity === 'None' ? [] : [`${where}: sessions stick`]),
      ...(spec?.ports ?? []).flatMap(({ targetPort }) =>
        ports.some(({ name }) => name === targetPort) ? [] : [`${where}: no port ${targetPort}`],
      ),
    ]
  }),
]

/** Every server is scaled and protected from disruptions, and nothing else is meant by either. */
export const scaled: Policy = (objects) => {
  const deployments = ofKind(objects, 'Deployment')
  const autoscalers = ofKind(objects, 'HorizontalPodAutoscaler')
  const budgets = ofKind(objects, 'PodDisruptionBudget')
  return [
    ...autoscalers.flatMap(({ metadata, spec }) => {
      const target = deployments.find((one) => one.metadata?.name === spec?.scaleTargetRef.name)
      return target ? [] : [`HorizontalPodAutoscaler ${metadata?.name}: scales nothing`]
    }),
    ...budgets.flatMap(({ metadata, spec }) => {
      const chosen = podsOf(objects).filter(({ labels }) =>
        hasLabels(labels, spec?.selector?.matchLabels),
      )
      return chosen.length === 1
        ? []
        : [`PodDisruptionBudget ${metadata?.name}: means ${chosen.length}`]
    }),
    ...deployments.flatMap(({ metadata, spec }) => {
      const name = metadata?.name
      const scaling = autoscalers.find((one) => one.spec?.scaleTargetRef.name === name)
      const labels = spec?.template.metadata?.labels
      const protecting = budgets.some((one) => hasLabels(labels, one.spec?.selector?.matchLabels))
      return [
        ...((scaling?.spec?.minReplicas ?? 1) >= 2 ? [] : [`${name}: may run alone`]),
        ...(spec?.replicas === undefined
          ? []
          : [`${name}: its replicas undo what the autoscaler says`]),
        ...(protecting ? [] : [`${name}: no disruption budget`]),
      ]
    }),
  ]
}

/** The way in is by TLS, leads to Services that exist, strips the prefix, and shows nothing inward. */
export const published: Policy = (objects) =>
  ofKind(objects, 'Ingress').flatMap(({ metadata, spec }) => {
    const hosts = (spec?.rules ?? []).map(({ host = '' }) => host)
    const covered = (spec?.tls ?? [])
      .filter(({ secretName }) => secretName)
      .flatMap(({ hosts = [] }) => hosts)
    const paths = (spec?.rules ?? []).flatMap(({ http }) => http?.paths ?? [])
    const middlewares = ofKind(objects, 'Middleware')
    const named = (
      metadata?.annotations?.['traefik.ingress.kubernetes.io/router.middlewares'] ?? ''
    )
      .split(',')
      .map((name) => /^latchkey-(.+)@kubernetescrd$/.exec(name)?.[1])
    const applied = middlewares.filter((one) => named.includes(one.metadata?.name))
    const stripped = applied.flatMap(({ spec }) => spec.stripPrefix?.prefixes ?? [])
    return [
      ...hosts.filter((host) => !covered.includes(host)).map((host) => `${host}: without TLS`),
      ...(applied.length === named.length ? [] : ['a middleware is missing']),
      ...paths.flatMap(({ path = '/', pathType, backend }) => {
        const { name, port } = backend.service ?? {}
        const service = ofKind(objects, 'Service').find((one) => one.metadata?.name === name)
        const prefix = stripped.find((one) => `${path}/`.startsWith(`${one}/`)) ?? ''
        const inner = path.slice(prefix.length)
        const inward = ['/metrics', '/livez', '/readyz'].filter(
          (one) =>
            inner === one ||
            (pathType !== 'Exact' && `${one}/`.startsWith(inner.replace(/\/?$/, '/'))),
        )
        return [
          ...(service?.spec?.ports?.some((one) => one.name === port?.name)
            ? []
            : [`${path}: no Service`]),
          ...(prefix === `/${name}` ? [] : [`${path}: reaches ${name} as it is`]),
          ...inward.map((one) => `${path}: publishes ${one}`),
        ]
      }),
    ]
  })

/** Where Prometheus is to look, there are Services of ours with that port; each server is looked at. */
export const scraped: Policy = (objects) =>
  ofKind(objects, 'ServiceMonitor').flatMap(({ spec }) => {
    const services = ofKind(objects, 'Service').filter(({ metadata }) =>
      hasLabels(metadata?.labels, spec.selector.matchLabels),
    )
    const missed = ofKind(objects, 'Deployment').filter(
      ({ metadata }) => !services.some((one) => one.metadata?.name === metadata?.name),
    )
    return [
      ...missed.map(({ metadata }) => `${metadata?.name}: not scraped`),
      ...services.flatMap(({ metadata, spec: service }) =>
        spec.endpoints.flatMap(({ port }) =>
          service?.ports?.some(({ name }) => name === port)
            ? []
            : [`${metadata?.name}: no port ${port}`],
        ),
      ),
      ...services.flatMap(({ metadata }) =>
        metadata?.labels?.[spec.jobLabel ?? ''] === metadata?.name
          ? []
          : [`${metadata?.name}: its job`],
      ),
    ]
  })
