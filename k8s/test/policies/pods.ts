import { type Json, list, ofKind, settingsOf } from '../objects.ts'
import { all, every, mismatches, none, type Policy } from './policy.ts'

const isSet = (value: Json) => value !== undefined
const isPositive = (value: Json) => Number(value) > 0
const isPinned = (image: string) => /@sha256:|:\d+\.\d[^/:@]*$/.test(image)

const asks = (path: string) => ({ httpGet: { port: 'http', path } })

/**
 * Long-running containers have probes. The readiness of a server is /livez, as a lost database
 * would otherwise remove all pods simultaneously (docs/guides/kubernetes.md).
 */
// biome-ignore format: a table
export const probed = all(
  every({ container: { startupProbe: isSet, readinessProbe: isSet, livenessProbe: isSet } }, 'Deployment', 'StatefulSet'),
  every({ container: { startupProbe: asks('/readyz'), readinessProbe: asks('/livez'), livenessProbe: asks('/livez') } }, 'Deployment'),
  every({ container: { ports: (ports: Json) => list(ports).some(({ name }) => name === 'http') } }, 'Deployment'),
)

const sizes = { cpu: isSet, memory: isSet }

/** Every container has requests and limits. */
export const bounded = every({ container: { resources: { requests: sizes, limits: sizes } } })

/** Every pod meets the `restricted` Pod Security Standard and cannot write to its image. */
// biome-ignore format: a table
export const restricted = all(
  every({ pod: {
    securityContext: { runAsNonRoot: true, runAsUser: isPositive, seccompProfile: { type: 'RuntimeDefault' } },
    automountServiceAccountToken: false,
    // Otherwise a Service named `latchkey` would set LATCHKEY_PORT, to tcp://….
    enableServiceLinks: false,
    hostNetwork: undefined, hostPID: undefined, hostIPC: undefined,
    volumes: none(({ hostPath }) => hostPath),
  } }),
  every({ container: { securityContext: {
    allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, privileged: undefined,
    capabilities: { drop: (drop: Json) => list(drop).includes('ALL'), add: undefined },
    runAsUser: undefined, runAsNonRoot: (own: Json) => own !== false,
  } } }),
)

/** Every image has a digest, or the tag of one release: `18.4`, not `18` or `latest`. */
export const pinned = all(every({ container: { image: isPinned } }), (objects) =>
  ofKind(objects, 'Cluster').flatMap(({ spec }) =>
    mismatches('Cluster', spec, { imageName: isPinned }),
  ),
)

/** A rolling update never reduces the pods, and a stopping pod has time for its last requests. */
export const graceful: Policy = (objects) => {
  const drain = Number(settingsOf(objects).LATCHKEY_DRAIN_SECONDS)
  // 10 s for requests in progress (packages/service-kit/src/run.ts), and 5 s as a margin.
  const needed = drain + 10 + 5
  return ofKind(objects, 'Deployment').flatMap(({ metadata, spec }) =>
    mismatches(`${metadata.name} (needs ${needed} s)`, spec, {
      strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: isPositive } },
      template: { spec: { terminationGracePeriodSeconds: (given: number) => given >= needed } },
    }),
  )
}

const isSpread = (constraints: Json) =>
  ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].every((key) => {
    const over = list(constraints).find(({ topologyKey }) => topologyKey === key)
    return list(over?.matchLabelKeys).includes('app.kubernetes.io/name')
  })

/** The pods of one release of one service are spread over zones and nodes. */
export const spread = every({ pod: { topologySpreadConstraints: isSpread } }, 'Deployment')
