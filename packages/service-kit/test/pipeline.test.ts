import { Client } from 'pg'
import t, { type Test } from 'tap'
import { isDatabaseUnavailable } from '../src/database-errors.ts'
import { cutConnections, execute, startWithDatabase, until } from './with-database.ts'

interface Answer {
  n: number
  pid: number
}

/** A service with a pipeline, and a function that sends a statement over it. */
async function startPipeline(t: Test, overrides: Parameters<typeof startWithDatabase>[1] = {}) {
  const { app, url } = await startWithDatabase(t, { hasPipeline: true, ...overrides })
  async function send(n: number, condition = 'true'): Promise<Answer | undefined> {
    const text = `SELECT $1::int AS n, pg_backend_pid() AS pid WHERE ${condition}`
    return (await app.pipeline.query<Answer>({ name: condition, text, values: [n] })).rows[0]
  }
  const sendAll = (count: number) => Promise.all(Array.from({ length: count }, (_, n) => send(n)))
  return { app, url, send, sendAll }
}

const pidsOf = (answers: (Answer | undefined)[]) => new Set(answers.map((answer) => answer?.pid))

/** Opens a transaction that holds a lock. @returns a function that ends it */
async function lockThings(t: Test, connectionString: string): Promise<() => Promise<unknown>> {
  const client = new Client({ connectionString })
  await client.connect()
  t.teardown(() => client.end())
  await client.query('BEGIN; LOCK TABLE things')
  return () => client.query('COMMIT')
}

t.test('returns its own result to each of many statements on one connection', async (t) => {
  const { sendAll } = await startPipeline(t)
  for (const _ of ['first', 'again']) {
    const answers = await sendAll(32)
    t.strictSame(
      answers.map((answer) => answer?.n),
      Array.from({ length: 32 }, (_, n) => n),
    )
    t.equal(pidsOf(answers).size, 1)
  }
})

t.test('a statement that fails does not affect the others', async (t) => {
  const { send } = await startPipeline(t)
  await send(0)
  const work = Array.from({ length: 30 }, (_, n) => send(n, n % 10 ? 'true' : '1 / ($1 * 0) = 1'))
  for (const [n, result] of (await Promise.allSettled(work)).entries()) {
    if (n % 10) t.match(result, { value: { n } })
    else t.match(result, { reason: { message: 'division by zero' } })
  }
  t.match(await send(1), { n: 1 })
})

t.test('a statement that waits for a lock does not delay the others', async (t) => {
  const { app, url, send, sendAll } = await startPipeline(t)
  const unlock = await lockThings(t, url)
  const [{ pid } = { pid: 0 }] = await sendAll(1)
  const waiting = send(1, 'NOT EXISTS (SELECT FROM things)')
  t.strictSame(pidsOf(await sendAll(30)), new Set([pid]), 'the others do not wait')
  await until(() => app.db.totalCount - app.db.idleCount === 1)
  t.strictSame(pidsOf(await sendAll(1)), new Set([pid]), 'and the connection remains')
  await unlock()
  t.match(await waiting, { n: 1 })
  t.not((await waiting)?.pid, pid, 'it waits on another connection')
})

t.test('runs every statement behind one whose preparation waits for a lock', async (t) => {
  const { app, url, send } = await startPipeline(t)
  const unlock = await lockThings(t, url)
  await send(0)
  const isEmpty = 'NOT EXISTS (SELECT FROM things)'
  const answers = Promise.all([1, 2, 3, 4, 5].map((n) => send(n, isEmpty)))
  await Promise.race([answers, until(() => app.db.waitingCount === 3)])
  await unlock()
  t.match(await answers, [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }, { n: 5 }])
})

t.test('opens another connection after the server has closed one', async (t) => {
  const { url, send, sendAll } = await startPipeline(t)
  const before = await send(0)
  const sleeping = [1, 2, 3].map((n) => send(n, 'pg_sleep(3.5) IS NOT NULL'))
  const results = Promise.allSettled(sleeping)
  await execute(url, cutConnections)
  for (const result of await results) {
    t.ok(result.status === 'rejected' && isDatabaseUnavailable(result.reason))
  }
  const [after] = await sendAll(10)
  t.not(after?.pid, before?.pid)
})

t.test('uses the pool as well while many statements are on their way', async (t) => {
  const { send, sendAll } = await startPipeline(t)
  const first = await send(0)
  const slow = send(0, 'pg_sleep(1) IS NOT NULL')
  const pids = pidsOf(await sendAll(60))
  t.ok(pids.has(first?.pid), 'the pipeline is full')
  t.ok(pids.size > 1, 'the others use the pool')
  t.match(await slow, { n: 0 })
})

t.test('is the pool itself behind a pooler, and with a single connection', async (t) => {
  for (const settings of [
    { LATCHKEY_DATABASE_POOLER: 'transaction', LATCHKEY_MIGRATE_ON_START: false },
    { LATCHKEY_DATABASE_POOL_MAX: 1 },
  ] as const) {
    const { app } = await startPipeline(t, settings)
    t.equal(app.pipeline, app.db)
  }
  const { app } = await startPipeline(t, { LATCHKEY_DATABASE_POOL_MAX: 3 })
  t.equal(app.db.options.max, 2, 'the pipeline is one of the connections')
})
