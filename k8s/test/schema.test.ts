import t from 'tap'
import { find, type Json } from './objects.ts'
import { renderAll } from './render.ts'
import { findSchemaProblems } from './schema.ts'

const renderings = renderAll()

for (const { name, objects } of renderings) {
  t.test(
    `${name}: objects are valid, without unknown fields, and of different names`,
    async (t) => {
      t.ok(objects.length > 30)
      t.strictSame((await Promise.all(objects.map(findSchemaProblems))).flat(), [])
      const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
      t.equal(new Set(names).size, names.length)
      const elsewhere = objects.filter(({ metadata }) => metadata.namespace !== 'latchkey')
      t.match(elsewhere, [{ kind: 'Namespace' }])
      t.equal(elsewhere.length, 1)
    },
  )
}

// biome-ignore format: a table
const mistakes: [(object: Json) => unknown, string][] = [
  [({ spec }) => (spec.template.spec.securityContxt = {}), 'unknown field /spec/template/spec/securityContxt'],
  [({ spec }) => (spec.template.spec.containers[0].readinesProbe = {}), 'unknown field /spec/template/spec/containers/0/readinesProbe'],
  [({ metadata }) => (metadata.lables = {}), 'unknown field /metadata/lables'],
  [({ spec }) => (spec.replicas = 'three'), 'replicas must be integer'],
  [(object) => (object.kind = 'Deploymnt'), 'apps/v1 has no schema for it'],
]

t.test('finds unknown fields, wrong types and unknown kinds', async (t) => {
  for (const [change, expected] of mistakes) {
    const object = structuredClone(find(renderings[0]?.objects ?? [], 'Deployment', 'auth'))
    change(object)
    t.match((await findSchemaProblems(object)).join(), expected)
  }
})
