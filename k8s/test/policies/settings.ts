import { loadConfig } from '@latchkey/service-kit'
import {
  environmentOf,
  find,
  type Objects,
  ofKind,
  podsOf,
  services,
  settingsOf,
} from '../objects.ts'
import { faults, mismatches, type Policy } from './policy.ts'

const modules = services.map((name) => import(`../../../services/${name}/src/app.ts`))
const schemas = (await Promise.all(modules)).map((app, i) => app[services[i] ?? ''].settings)

/** What the files of settings contain, by variable. */
const urls: Record<string, string> = {
  LATCHKEY_DATABASE_URL_FILE: 'postgresql://user:password@host:5432/name',
  LATCHKEY_SMTP_URL_FILE: 'smtps://user:password@host:465',
}

/** Every variable is a setting of its service, as is or with `_FILE`; the service accepts them. */
export const configured: Policy = (objects) =>
  podsOf(objects).flatMap(({ kind, where, labels, pod }) => {
    if (kind === 'StatefulSet') return []
    const schema = schemas[services.indexOf(labels['app.kubernetes.io/name'])]
    if (!schema) return [`${where}: is not a service`]
    const { PGSSLMODE, ...environment } = environmentOf(objects, pod) // PGSSLMODE: read by `pg`.
    const problems = Object.keys(environment)
      .filter((name) => ![name, name.replace(/_FILE$/, '')].some((one) => one in schema.properties))
      .map((name) => `${where}: ${name} is not a setting`)
    if (kind === 'Job') return problems // A migration needs the database alone.
    const settings = Object.entries(environment).map(([name, value]) => {
      const url = urls[name]
      return url ? [name.replace(/_FILE$/, ''), url] : [name, value]
    })
    try {
      loadConfig(schema, Object.fromEntries(settings))
      return problems
    } catch (err) {
      return [...problems, `${where}: ${err}`]
    }
  })

/** A client's address is read from what a pod forwards, whatever range its address is from. */
export const proxied: Policy = (objects) =>
  mismatches('latchkey-settings', settingsOf(objects), {
    LATCHKEY_TRUST_PROXY: (ranges = '') =>
      ['uniquelocal', '100.64.0.0/10'].every((one) => ranges.split(',').includes(one)),
  })

/** Connections that Postgres reserves for superusers, and those of a migration and the operator. */
const reservedConnections = 10

/** The connections of all instances fit into their database. */
export const pooled: Policy = (objects) =>
  ofKind(objects, 'HorizontalPodAutoscaler').flatMap(({ metadata: { name }, spec }) => {
    const { strategy, template } = find(objects, 'Deployment', name)?.spec ?? {}
    if (!template) return []
    const pool = Number(environmentOf(objects, template.spec).LATCHKEY_DATABASE_POOL_MAX)
    const instances = spec.maxReplicas + Number(strategy.rollingUpdate.maxSurge)
    const needed = instances * pool + reservedConnections
    const limit = maxConnections(objects, `${name}-database`)
    return faults(name, { [`needs ${needed} connections of ${limit}`]: !(needed <= limit) })
  })

/** Infinite for a database that is not among the objects: its operator decides. */
function maxConnections(objects: Objects, database: string): number {
  const cluster = find(objects, 'Cluster', database)
  if (cluster) return Number(cluster.spec.postgresql?.parameters?.max_connections ?? 100)
  return find(objects, 'StatefulSet', database) ? 100 : Number.POSITIVE_INFINITY
}
