import t from 'tap'
import type { KubeObject } from './objects.ts'
import { renderAll } from './render.ts'
import { findSchemaProblems } from './schema.ts'

const renderings = await renderAll()

for (const { name, objects } of renderings) {
  t.test(`${name}: every object is what its schema allows, and nothing more`, async (t) => {
    t.ok(objects.length > 30)
    t.strictSame(objects.flatMap(findSchemaProblems), [])
  })
}

t.test('no two objects have one name, and all but the namespace lie in it', async (t) => {
  for (const { name, objects } of renderings) {
    const names = objects.map(
      ({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`,
    )
    t.equal(new Set(names).size, names.length, name)
    for (const { kind, metadata } of objects) {
      if (kind !== 'Namespace') t.equal(metadata.namespace, 'latchkey', `${kind} ${metadata.name}`)
    }
  }
})

t.test('what a schema would let through is found', async (t) => {
  const deployment = (change: (object: never) => void): KubeObject => {
    const found = renderings[0]?.objects.find(({ kind }) => kind === 'Deployment')
    const copy = structuredClone(found) as KubeObject
    change(copy as never)
    return copy
  }
  interface Loose {
    metadata: Record<string, unknown>
    spec: {
      replicas?: unknown
      template: { spec: Record<string, unknown> & { containers: [object] } }
    }
  }
  const problems = (change: (object: Loose) => void) => findSchemaProblems(deployment(change))

  t.strictSame(
    problems(({ spec }) => {
      spec.template.spec.securityContxt = {}
    }),
    ['Deployment auth: unknown field /spec/template/spec/securityContxt'],
  )
  t.strictSame(
    problems(({ spec }) => {
      Object.assign(spec.template.spec.containers[0], { readinesProbe: {} })
    }),
    ['Deployment auth: unknown field /spec/template/spec/containers/0/readinesProbe'],
  )
  t.strictSame(
    problems(({ metadata }) => {
      metadata.lables = { a: 'b' }
    }),
    ['Deployment auth: unknown field /metadata/lables'],
  )
  t.match(
    problems(({ spec }) => {
      spec.replicas = 'three'
    }),
    [/replicas must be integer/],
  )
  t.match(findSchemaProblems({ apiVersion: 'v1', kind: 'Pood', metadata: { name: 'x' } }), [
    /no schema/,
  ])
})
