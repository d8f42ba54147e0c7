import { loadConfig } from '@latchkey/service-kit'
import { auth } from '../../../services/auth/src/app.ts'
import { billing } from '../../../services/billing/src/app.ts'
import { orders } from '../../../services/orders/src/app.ts'
import { type KubeObject, ofKind, type Pods, podsOf } from '../objects.ts'
import type { Policy } from './policy.ts'

type Settings = Parameters<typeof loadConfig>[0]

const schemas: Readonly<Record<string, Settings>> = {
  auth: auth.settings,
  billing: billing.settings,
  orders: orders.settings,
}

/** What is read by others than the services' settings: `pg` itself. */
const otherNames = new Set(['PGSSLMODE'])

/** Stands for what a mounted Secret holds. */
const exampleUrl = 'postgresql://user:password@host:5432/name'

/**
 * Every server's environment is one that its service starts with: each name is one of its settings, or
 * one of them with `_FILE`, and the whole passes the service's own check.
 */
export const configured: Policy = (objects) =>
  podsOf(objects).flatMap((pods) => {
    const { kind, name, labels } = pods
    const schema = schemas[labels['app.kubernetes.io/name'] ?? '']
    if (kind === 'StatefulSet') return []
    if (!schema) return [`${kind} ${name}: is no service of ours`]
    const environment = environmentOf(pods, objects)
    const unknown = Object.keys(environment).filter((key) => {
      return (
        !otherNames.has(key) &&
        !(key.replace(/_FILE$/, '') in schema.properties) &&
        !(key in schema.properties)
      )
    })
    const problems = unknown.map((key) => `${kind} ${name}: ${key} is no setting`)
    // A migration needs no more than the database.
    return kind === 'Job'
      ? problems
      : [...problems, ...startProblems(`${kind} ${name}`, schema, environment)]
  })

/** The environment of a workload's first container. */
export function environmentOf(pods: Pods, objects: readonly KubeObject[]): Record<string, string> {
  const { env = [], envFrom = [] } = pods.spec.containers[0] ?? {}
  const maps = envFrom.map(({ configMapRef }) =>
    ofKind(objects, 'ConfigMap').find(({ metadata }) => metadata?.name === configMapRef?.name),
  )
  return Object.assign(
    {},
    ...maps.map((map) => map?.data ?? {}),
    ...env.map(({ name, value, valueFrom }) => ({
      [name]: value ?? valueFrom?.fieldRef?.fieldPath ?? '',
    })),
  )
}

function startProblems(
  where: string,
  schema: Settings,
  environment: Record<string, string>,
): string[] {
  const { LATCHKEY_DATABASE_URL_FILE, ...rest } = environment
  const url = LATCHKEY_DATABASE_URL_FILE ? { LATCHKEY_DATABASE_URL: exampleUrl } : {}
  try {
    loadConfig(schema, { ...rest, ...url })
    return []
  } catch (err) {
    return [`${where}: ${err instanceof Error ? err.message : String(err)}`]
  }
}

/** All instances' connections together, at the most, leave the database some for itself. */
export const pooled: Policy = (objects) =>
  ofKind(objects, 'HorizontalPodAutoscaler').flatMap(({ metadata, spec }) => {
    const service = metadata?.name ?? ''
    const isMeant = ({ kind, name }: Pods) => kind === 'Deployment' && name === service
    const deployment = ofKind(objects, 'Deployment').find((one) => one.metadata?.name === service)
    const pods = podsOf(objects).find(isMeant)
    if (!deployment || !pods) return []
    const instances =
      (spec?.maxReplicas ?? 0) + Number(deployment.spec?.strategy?.rollingUpdate?.maxSurge)
    const pool = Number(environmentOf(pods, objects).LATCHKEY_DATABASE_POOL_MAX)
    const needed = instances * pool + reservedConnections
    const limit = maxConnections(`${service}-database`, objects)
    return needed <= limit ? [] : [`${service}: ${needed} connections wanted, ${limit} to be had`]
  })

/** Postgres keeps 3 for superusers; a migration, replicas and an operator take the others. */
const reservedConnections = 10

/** What a database takes; one that is not among the objects is its operator's affair. */
function maxConnections(database: string, objects: readonly KubeObject[]): number {
  const cluster = ofKind(objects, 'Cluster').find(({ metadata }) => metadata?.name === database)
  if (cluster) return Number(cluster.spec.postgresql?.parameters?.max_connections ?? 100)
  const single = ofKind(objects, 'StatefulSet').some(({ metadata }) => metadata?.name === database)
  return single ? 100 : Number.POSITIVE_INFINITY
}
