import { readFileSync } from 'node:fs'
import t from 'tap'
import { openapiFile, renderOpenapi } from '../generate/openapi.ts'

interface Operation {
  operationId?: string
  security?: object[]
  responses: Record<string, { description: string; content?: object }>
}

const plain = ['application/json', 'application/jwk-set+json']

for (const [service, text] of await renderOpenapi()) {
  t.test(`docs/openapi/${service}.json is what \`npm run docs\` writes`, async (t) => {
    t.equal(readFileSync(openapiFile(service), 'utf8'), text)
  })

  t.test(`a generator can use the description of ${service}`, async (t) => {
    const paths = Object.values<Record<string, Operation>>(JSON.parse(text).paths)
    const operations = paths.flatMap((path) => Object.values(path))
    const ids = operations.map(({ operationId }) => operationId)
    t.equal(new Set(ids).size, operations.length, 'every operation has an ID of its own')
    for (const { operationId, security, responses } of operations) {
      for (const [status, { description, content = {} }] of Object.entries(responses)) {
        t.not(description, 'Default Response', `${operationId} ${status}`)
        const types = Number(status) < 400 ? plain : ['application/problem+json']
        for (const name of Object.keys(content))
          t.ok(types.includes(name), `${operationId} ${status}`)
      }
      t.ok(security === undefined || security.length === 0, `${operationId}: security`)
    }
  })
}
