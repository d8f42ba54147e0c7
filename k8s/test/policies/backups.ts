import { ofKind } from '../objects.ts'
import { all, mismatches, otherThan, type Policy } from './policy.ts'

const isSet = (value: unknown) => value !== undefined

const scheduled: Policy = (objects) =>
  otherThan(
    ofKind(objects, 'Cluster').map(({ metadata }) => metadata.name),
    'scheduled backups are of',
    ofKind(objects, 'ScheduledBackup').map(({ spec }) => spec.cluster.name),
  )

/** Every Postgres cluster has scheduled backups, which are complete and outlive the cluster. */
export const backedUp = all(
  scheduled,
  (objects) =>
    ofKind(objects, 'Cluster').flatMap(({ metadata, spec }) =>
      mismatches(metadata.name, spec, {
        backup: {
          target: 'prefer-standby',
          volumeSnapshot: {
            className: isSet,
            online: false,
            snapshotOwnerReference: (owner: string) => owner !== 'cluster',
          },
        },
      }),
    ),
  (objects) =>
    ofKind(objects, 'ScheduledBackup').flatMap(({ metadata, spec }) =>
      mismatches(metadata.name, spec, {
        method: 'volumeSnapshot',
        backupOwnerReference: 'none',
        schedule: (fields: string) => fields.split(' ').length === 6 && fields.startsWith('0 0 '),
        suspend: (value: unknown) => value !== true,
      }),
    ),
)
