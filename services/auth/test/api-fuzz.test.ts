import t from 'tap'
import { findFaults } from './api-fuzz/check-answer.ts'
import type { Plan } from './api-fuzz/draft.ts'
import { fuzzApi } from './api-fuzz/fuzz-api.ts'
import { lacksCode } from './api-fuzz/mailed-codes.ts'
import { type Operation, readOperations } from './api-fuzz/operations.ts'

/** Why no generated request of an operation can succeed; `undefined` if some must. */
const reasonFor = (operation: Operation): string | undefined =>
  lacksCode(operation) ? 'needs a mailed code' : undefined

const requests = 600
const seed = 1

t.test(`no generated request gets a 500, hangs, or reveals a secret (seed ${seed})`, async (t) => {
  const { operations, counts, successes, faults } = await fuzzApi(t, { requests, seed })
  const repeat = `repeat with: npm run fuzz:api -- --requests ${requests} --seed ${seed}`
  t.strictSame(faults, [], repeat)
  for (const operation of operations) {
    const reason = reasonFor(operation)
    if (reason === undefined)
      t.ok(successes.get(operation.id), `${operation.id} succeeds; ${repeat}`)
    else t.comment(`${operation.id} ${reason}`)
  }
  for (const kind of ['valid', 'near-valid', 'hostile']) {
    const byStatus = counts.get(kind) ?? new Map<number, number>()
    const total = [...byStatus.values()].reduce((sum, n) => sum + n, 0)
    t.ok(total > requests / 5, `${total} ${kind} requests`)
    const limited = (byStatus.get(429) ?? 0) + (byStatus.get(503) ?? 0)
    t.ok(limited < total / 10, 'limits hide few of them')
  }
})

t.test('the checks find what is wrong with an answer', async (t) => {
  const text = { type: 'string' }
  const problem = {
    type: 'object',
    properties: { status: { type: 'integer' } },
    required: ['status'],
  }
  const content = { 'application/json': { schema: { type: 'object', properties: { name: text } } } }
  const operations = readOperations({
    paths: {
      '/v1/it': {
        get: { operationId: 'getIt', tags: [], responses: { 200: { content }, 204: {} } },
      },
    },
    components: { schemas: {} },
  })
  const [operation] = operations as [Operation]
  const plan: Plan = {
    operation,
    kind: 'valid',
    variation: 'valid',
    mustBeRefused: false,
    method: 'GET',
    target: '/v1/it',
    suffix: '',
    headers: [],
    body: undefined,
    lengthError: 0,
  }
  const sender = { email: 'own@example.com', userId: '', sessionId: '', tokens: {} as never }
  const cast = { sender, values: {}, release: () => {} }
  const check = (status: number, body: string, headers = {}, change: Partial<Plan> = {}) => {
    const type = status < 400 ? 'application/json' : 'application/problem+json'
    const all = new Map(Object.entries({ 'content-type': type, ...headers }))
    const answer = { status, headers: all as Map<string, string>, body, text: body }
    const context = {
      plan: { ...plan, ...change },
      cast,
      operations,
      problem,
      examples: '',
      sent: '',
    }
    return findFaults(answer, context).join()
  }
  t.equal(check(200, '{"name":"own@example.com"}'), '')
  t.equal(check(404, '{"status":404}'), '')
  t.match(check(0, ''), 'no answer')
  t.match(check(500, '{"status":500}'), 'status is not documented')
  t.match(check(409, '{"status":409}'), 'status is not documented')
  t.match(check(404, '{"status":400}'), 'differ from those of the problem')
  t.match(
    check(404, '{"status":404}', { 'content-type': 'text/html' }),
    'content type is text/html',
  )
  t.match(check(200, '{"name":"a"}', { 'content-length': '3' }), 'Content-Length is wrong')
  t.match(check(200, '{"name":1}'), '/name must be string')
  t.match(check(200, '{"name":"a","hash":"b"}'), '/hash schema is false')
  t.match(check(200, '{"name":'), 'not JSON')
  t.match(check(204, '{}'), 'has a body')
  t.match(check(200, '{"name":"a"}', {}, { mustBeRefused: true }), 'must be refused')
  for (const leak of [
    '$argon2id$v=19$m=65536',
    'correct horse battery',
    'INSERT INTO users',
    `lkr_${'a'.repeat(70)}`,
    'at run (app.ts:12:3)',
    'other@example.com',
  ]) {
    t.match(check(200, JSON.stringify({ name: leak })), 'it contains', leak)
  }
})
