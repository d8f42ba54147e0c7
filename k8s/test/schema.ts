import type { KubeObject } from './objects.ts'

/** The packages with the models of what is not a part of Kubernetes. */
const packages: Readonly<Record<string, string>> = {
  'monitoring.coreos.com/v1': '@kubernetes-models/prometheus-operator',
  'postgresql.cnpg.io/v1': '@kubernetes-models/cloudnative-pg',
  'traefik.io/v1alpha1': '@kubernetes-models/traefik',
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
  const models = await import(`${packages[apiVersion] ?? 'kubernetes-models'}/${apiVersion}`)
  if (!models[kind]) return [`${where}: ${apiVersion} has no schema for it`]
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
