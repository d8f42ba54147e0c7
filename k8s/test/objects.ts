import { globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

// biome-ignore lint/suspicious/noExplicitAny: schema.test.ts checks the shape of every object
export type Json = any

export type KubeObject = Readonly<Record<'apiVersion' | 'kind', string>> & Record<string, Json>
export type Objects = readonly KubeObject[]

export const root = join(import.meta.dirname, '../..')
export const read = (file: string) => readFileSync(join(root, file), 'utf8')

/** The names of the services: auth, billing, … */
export const services = globSync('services/*/package.json', { cwd: root })
  .map((file) => basename(dirname(file)))
  .sort()

/** A list that may be missing. */
export const list = (value: Json): Json[] => value ?? []

export const ofKind = (objects: Objects, ...kinds: string[]) =>
  kinds.flatMap((kind) => objects.filter((object) => object.kind === kind))

export const namesOf = (objects: Objects, kind: string): string[] =>
  ofKind(objects, kind).map(({ metadata }) => metadata.name)

export const find = (objects: Objects, kind: string, name: string): Json =>
  objects.find((object) => object.kind === kind && object.metadata.name === name)

/** The pods of each workload, with its kind and name. */
export const podsOf = (objects: Objects) =>
  ofKind(objects, 'Deployment', 'StatefulSet', 'Job').map(({ kind, metadata: { name }, spec }) => {
    const { metadata, spec: pod } = spec.template
    return { kind, name: name as string, where: `${kind} ${name}`, labels: metadata.labels, pod }
  })

/** The containers of all workloads, each with its workload's pods. */
export const containersOf = (objects: Objects) =>
  podsOf(objects).flatMap((pods) =>
    [...list(pods.pod.initContainers), ...pods.pod.containers].map((container) => {
      return { ...pods, where: `${pods.where}, container ${container.name}:`, container }
    }),
  )

export const hasLabels = (labels: Json, wanted: Json = {}) =>
  Object.entries(wanted).every(([key, value]) => labels?.[key] === value)

/** The settings that all servers share. */
export const settingsOf = (objects: Objects): Record<string, string> =>
  ofKind(objects, 'ConfigMap').find(({ metadata }) => /^latchkey-settings/.test(metadata.name))
    ?.data ?? {}

/** The environment of the first container of a pod. */
export function environmentOf(objects: Objects, pod: Json): Record<string, string> {
  const [{ env, envFrom }] = pod.containers
  const maps = list(envFrom).map((one) => find(objects, 'ConfigMap', one.configMapRef?.name)?.data)
  const own = list(env).map(({ name, value, valueFrom }) => {
    const { fieldRef, configMapKeyRef: ref } = valueFrom ?? {}
    const entry = ref && find(objects, 'ConfigMap', ref.name)?.data[ref.key]
    return { [name]: value ?? entry ?? fieldRef?.fieldPath ?? '' }
  })
  return Object.assign({}, ...maps, ...own)
}
