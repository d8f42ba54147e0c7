import { find, type Json, list, type Objects, ofKind, services } from '../objects.ts'
import { faults, mismatches, otherThan, type Policy } from './policy.ts'

const argo = 'argocd.argoproj.io/'
const tagOf = (image: string) => image.replace(/^.*:/, '')

/** Servers, and what is healthy only when servers run. Argo CD waits until a wave is healthy. */
const needServers = ['Deployment', 'HorizontalPodAutoscaler', 'Ingress', 'Gateway', 'HTTPRoute']

/** The wave in which Argo CD applies an object. */
const waveOf = ({ metadata }: Json) => Number(metadata.annotations?.[`${argo}sync-wave`] ?? 0)

/**
 * Each service has a migration for each version of its image, since a Job cannot be changed. Under
 * Argo CD it runs at every sync, after its database and before the servers.
 */
export const migrates: Policy = (objects) => [
  ...otherThan(
    services.map((name) => `${name}-migration-${versionOf(objects, name)}`),
    'migrations are',
    ofKind(objects, 'Job').map(({ metadata }) => metadata.name),
  ),
  ...ofKind(objects, 'Job').flatMap((job) => [
    ...mismatches(job.metadata.name, job, {
      metadata: {
        annotations: {
          [`${argo}hook`]: 'Sync',
          [`${argo}hook-delete-policy`]: 'BeforeHookCreation',
        },
      },
      spec: { ttlSecondsAfterFinished: (seconds: number) => seconds > 0 },
    }),
    ...faults(job.metadata.name, {
      'runs before its database exists': ofKind(objects, 'Cluster', 'StatefulSet').some(
        (database) => waveOf(database) >= waveOf(job),
      ),
      'waits for what needs a migrated database': ofKind(objects, ...needServers).some(
        (one) => waveOf(one) <= waveOf(job),
      ),
    }),
  ]),
]

function versionOf(objects: Objects, service: string): string {
  const [container] = list(find(objects, 'Deployment', service)?.spec.template.spec.containers)
  return tagOf(container?.image ?? '')
}
