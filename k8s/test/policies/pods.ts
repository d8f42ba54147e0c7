import type { IProbe } from 'kubernetes-models/v1/Probe'
import { containersOf, ofKind, podsOf } from '../objects.ts'
import type { Policy } from './policy.ts'

/** What a service may take to answer what it has, in seconds (packages/service-kit/src/run.ts). */
const graceSeconds = 10
/** Between the end of that and SIGKILL, in seconds. */
const spareSeconds = 5

/** Whatever runs on says that it is up; a server says it as docs/guides/kubernetes.md explains. */
export const probed: Policy = (objects) =>
  containersOf(objects).flatMap(({ where, container, pods }) => {
    if (pods.kind === 'Job') return []
    const { startupProbe, readinessProbe, livenessProbe } = container
    if (!startupProbe || !readinessProbe || !livenessProbe) return [`${where}: lacks a probe`]
    if (pods.kind === 'StatefulSet') return []
    const asked = (probe: IProbe) => `${probe.httpGet?.port}${probe.httpGet?.path}`
    return [
      ...(asked(startupProbe) === 'http/readyz' ? [] : [`${where}: starts without /readyz`]),
      // A lost database would take all pods out at once.
      ...(asked(readinessProbe) === 'http/livez' ? [] : [`${where}: readiness is not /livez`]),
      ...(asked(livenessProbe) === 'http/livez' ? [] : [`${where}: liveness is not /livez`]),
      ...(container.ports?.some(({ name }) => name === 'http') ? [] : [`${where}: no port http`]),
    ]
  })

/** Every container says what it needs and what it may take at most. */
export const bounded: Policy = (objects) =>
  containersOf(objects).flatMap(({ where, container: { resources } }) =>
    (['cpu', 'memory'] as const).flatMap((resource) => [
      ...(resources?.requests?.[resource] ? [] : [`${where}: requests no ${resource}`]),
      ...(resources?.limits?.[resource] ? [] : [`${where}: no limit of ${resource}`]),
    ]),
  )

/** Every pod passes the `restricted` Pod Security Standard, and cannot write to its image. */
export const restricted: Policy = (objects) => [
  ...podsOf(objects).flatMap(({ kind, name, spec }) => {
    const { securityContext: context } = spec
    const facts: Record<string, boolean> = {
      'may run as root': context?.runAsNonRoot !== true || !((context.runAsUser ?? 0) > 0),
      'has no seccomp profile': context?.seccompProfile?.type !== 'RuntimeDefault',
      'holds a token of the Kubernetes API': spec.automountServiceAccountToken !== false,
      'shares a namespace of the host': Boolean(spec.hostNetwork || spec.hostPID || spec.hostIPC),
      'mounts a path of the host': spec.volumes?.some(({ hostPath }) => hostPath) ?? false,
    }
    return trueOnes(facts).map((fact) => `${kind} ${name}: ${fact}`)
  }),
  ...containersOf(objects).flatMap(({ where, container: { securityContext: context } }) => {
    const facts: Record<string, boolean> = {
      'may gain privileges': context?.allowPrivilegeEscalation !== false,
      'can write to its image': context?.readOnlyRootFilesystem !== true,
      'keeps capabilities': context?.capabilities?.drop?.includes('ALL') !== true,
      'adds capabilities': (context?.capabilities?.add?.length ?? 0) > 0,
      'is privileged': context?.privileged === true,
      'overrides the user': context?.runAsUser !== undefined || context?.runAsNonRoot === false,
    }
    return trueOnes(facts).map((fact) => `${where}: ${fact}`)
  }),
]

/** Every image has a tag of its own, so that what runs is what was meant. */
export const pinned: Policy = (objects) => [
  ...containersOf(objects).flatMap(({ where, container: { image = '' } }) =>
    isPinned(image) ? [] : [`${where}: ${image} is not pinned`],
  ),
  ...ofKind(objects, 'Cluster').flatMap(({ metadata, spec }) =>
    isPinned(spec.imageName ?? '') ? [] : [`Cluster ${metadata?.name}: its image is not pinned`],
  ),
]

/** A rolling update never lessens the pods, and a stopping pod has time to answer what it has. */
export const graceful: Policy = (objects) => {
  const drain = ofKind(objects, 'ConfigMap').map(({ data }) => data?.LATCHKEY_DRAIN_SECONDS)
  const needed = Math.max(...drain.map(Number)) + graceSeconds + spareSeconds
  return ofKind(objects, 'Deployment').flatMap(({ metadata, spec }) => {
    const where = `Deployment ${metadata?.name}`
    const given = spec?.template.spec?.terminationGracePeriodSeconds ?? 0
    const update = spec?.strategy?.rollingUpdate
    return [
      ...(given >= needed ? [] : [`${where}: stops after ${given} s, needs ${needed} s`]),
      ...(Number(update?.maxUnavailable ?? 1) === 0 ? [] : [`${where}: updates lessen its pods`]),
      ...(Number(update?.maxSurge ?? 0) > 0 ? [] : [`${where}: updates cannot begin`]),
    ]
  })
}

/** Pods of one release of one service are spread over zones and nodes. */
export const spread: Policy = (objects) =>
  ofKind(objects, 'Deployment').flatMap(({ metadata, spec }) => {
    const constraints = spec?.template.spec?.topologySpreadConstraints ?? []
    return ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].flatMap((key) => {
      const over = constraints.find(({ topologyKey }) => topologyKey === key)
      const own = over?.matchLabelKeys?.includes('app.kubernetes.io/name')
      return own ? [] : [`Deployment ${metadata?.name}: not spread over ${key}`]
    })
  })

function isPinned(image: string): boolean {
  const [, tag = '', digest = ''] =
    /^[^@:]+(?::\d+\/[^@:]+)?(?::([^@]+))?(?:@(sha256:.+))?$/.exec(image) ?? []
  return digest !== '' || (tag !== '' && tag !== 'latest')
}

const trueOnes = (facts: Record<string, boolean>) =>
  Object.keys(facts).filter((name) => facts[name] === true)
