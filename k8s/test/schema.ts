import type { Json, KubeObject } from './objects.ts'

const modules: Readonly<Record<string, Json>> = {
  v1: import('kubernetes-models/v1'),
  'apps/v1': import('kubernetes-models/apps/v1'),
  'autoscaling/v2': import('kubernetes-models/autoscaling/v2'),
  'batch/v1': import('kubernetes-models/batch/v1'),
  'gateway.networking.k8s.io/v1': import(
    '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1'
  ),
  'monitoring.coreos.com/v1': import(
    '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1'
  ),
  'networking.k8s.io/v1': import('kubernetes-models/networking.k8s.io/v1'),
  'policy/v1': import('kubernetes-models/policy/v1'),
  'postgresql.cnpg.io/v1': import('@kubernetes-models/cloudnative-pg/postgresql.cnpg.io/v1'),
  'traefik.io/v1alpha1': import('@kubernetes-models/traefik/traefik.io/v1alpha1'),
}

/**
 * Validates an object against its schema, and finds fields that the schema does not define.
 *
 * The models' validators accept unknown fields, as JSON Schema does. This finds them by recording
 * which fields a validator reads: every field of the schema, and no other.
 */
export async function findSchemaProblems(object: KubeObject): Promise<string[]> {
  const { apiVersion, kind } = object
  const where = `${kind} ${object.metadata.name}`
  const models = await modules[apiVersion]
  if (!models?.[kind]) return [`${where}: ${apiVersion} has no schema for it`]
  const read = new Map<object, Set<string>>()
  const model = new models[kind](object)
  try {
    watch(model, read).validate()
  } catch (err) {
    return [`${where}: ${err}`]
  }
  return findUnread(model, read, '').map((path) => `${where}: unknown field ${path}`)
}

function watch<T extends object>(target: T, read: Map<object, Set<string>>): T {
  const fields = read.get(target) ?? new Set()
  read.set(target, fields)
  return new Proxy(target, {
    get(object, field, receiver) {
      if (typeof field === 'string') fields.add(field)
      const value = Reflect.get(object, field, receiver)
      return typeof value === 'object' && value !== null ? watch(value, read) : value
    },
  })
}

function findUnread(value: object, read: Map<object, Set<string>>, path: string): string[] {
  return Object.entries(value).flatMap(([field, child]) => {
    const childPath = `${path}/${field}`
    if (!Array.isArray(value) && !read.get(value)?.has(field)) return [childPath]
    return typeof child === 'object' && child !== null ? findUnread(child, read, childPath) : []
  })
}
