import * as cnpg from '@kubernetes-models/cloudnative-pg/postgresql.cnpg.io/v1'
import * as monitoring from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1'
import * as traefik from '@kubernetes-models/traefik/traefik.io/v1alpha1'
import * as apps from 'kubernetes-models/apps/v1'
import * as autoscaling from 'kubernetes-models/autoscaling/v2'
import * as batch from 'kubernetes-models/batch/v1'
import * as networking from 'kubernetes-models/networking.k8s.io/v1'
import * as policy from 'kubernetes-models/policy/v1'
import * as core from 'kubernetes-models/v1'
import type { KubeObject } from './objects.ts'

const models: Readonly<Record<string, object>> = {
  v1: core,
  'apps/v1': apps,
  'autoscaling/v2': autoscaling,
  'batch/v1': batch,
  'monitoring.coreos.com/v1': monitoring,
  'networking.k8s.io/v1': networking,
  'policy/v1': policy,
  'postgresql.cnpg.io/v1': cnpg,
  'traefik.io/v1alpha1': traefik,
}

type Model = new (data: object) => { validate(): void }

/**
 * What an object's schema says against it, and every field that the schema does not know.
 *
 * The models' validators let unknown fields through, as JSON Schema does. They are found by watching
 * which fields a validator reads: it asks each object for every field of its schema and no other.
 */
export function findSchemaProblems(object: KubeObject): string[] {
  const where = `${object.kind} ${object.metadata.name}`
  const Known = (models[object.apiVersion] as Record<string, Model> | undefined)?.[object.kind]
  if (!Known) return [`${where}: ${object.apiVersion} ${object.kind} has no schema here`]
  const read = new Map<object, Set<string>>()
  const model = new Known(object)
  try {
    watch(model, read).validate()
  } catch (err) {
    return [`${where}: ${err instanceof Error ? err.message : String(err)}`]
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
