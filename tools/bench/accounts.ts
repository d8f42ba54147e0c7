/** `npm run bench -- accounts`: a million users, compared with ten thousand. */
import { statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { startEmbeddedPostgres } from '@latchkey/embedded-postgres'
import { markdownTable } from 'markdown-table'
import pg from 'pg'
import { createLoad, type Load } from './accounts-load.ts'
import { explainAuth } from './accounts-plans.ts'
import { type Size, seed } from './accounts-seed.ts'
import { startAuth } from './auth-app.ts'
import { describeFullReads } from './full-scans.ts'
import { compare, measure, median } from './measure.ts'
import type { HasTeardown } from './refresh-server.ts'
import { report, under } from './report.ts'

const sizes: Readonly<Record<'small' | 'large', Size>> = {
  small: { users: 10_000, sessions: 50_000 },
  large: { users: 1_000_000, sessions: 5_000_000 },
}
const [warmUp, rounds, perRound] = [10, 90, 50]
const neededBytes = 16 * 2 ** 30

/** Those of a server with 16 GB. fsync is off: waiting for the disk would hide a difference. */
const settings = {
  shared_buffers: '6GB',
  effective_cache_size: '12GB',
  maintenance_work_mem: '512MB',
  max_wal_size: '8GB',
  checkpoint_timeout: '15min',
  random_page_cost: '1.1',
  full_page_writes: 'on',
}

const cleanups: (() => unknown)[] = []
let isInterrupted = false
const { plans, samples } = await run({ teardown: (step) => cleanups.unshift(step) })
  .finally(async () => {
    for (const step of cleanups) await step()
  })
  .catch((err) => {
    if (!isInterrupted) throw err
    console.error('Interrupted.')
    process.exit(1)
  })

async function run(t: HasTeardown) {
  const { bavail, bsize } = await statfs(tmpdir())
  if (bavail * bsize < neededBytes) throw new Error(`${tmpdir()} needs 16 GB of free space.`)
  const postgres = await startEmbeddedPostgres(50, { settings })
  t.teardown(() => postgres.stop())
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      isInterrupted = true
      postgres.stop() // Its clients fail.
    })
  }
  const small = await prepare(t, postgres.url, 'small')
  const large = await prepare(t, postgres.url, 'large')
  console.log('Explaining …')
  const plans = await explainAuth(t, large.url)
  const subjects = { ...small.subjects, ...large.subjects }
  console.log(`${warmUp + rounds} rounds of ${Object.keys(subjects).length} × ${perRound} calls …`)
  return { plans, samples: await measure(subjects, rounds, warmUp) }
}

/** Creates and fills a database. */
async function prepare(t: HasTeardown, server: string, name: 'small' | 'large') {
  const admin = new pg.Client(server)
  await admin.connect()
  await admin.query(`CREATE DATABASE ${name}`)
  await admin.end()
  const url = Object.assign(new URL(server), { pathname: `/${name}` }).href
  await migrate(url)
  console.log(`Filling the ${name} database …`)
  // One connection for the load, which has seen every page by then.
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  pool.on('error', () => {})
  t.teardown(() => pool.end())
  const client = await pool.connect()
  await seed(client, sizes[name]).finally(() => client.release())
  const load = await createLoad(pool, (warmUp + rounds) * perRound, perRound)
  const parts = Object.entries(load) as [keyof Load, Load[keyof Load]][]
  return { url, subjects: Object.fromEntries(parts.map(([p, m]) => [`${p}, ${name}`, m])) }
}

/** An auth service creates the tables when it starts. */
async function migrate(url: string): Promise<void> {
  const steps: (() => unknown)[] = []
  await startAuth({ teardown: (step) => steps.unshift(step) }, url)
  for (const step of steps) await step()
}

const titles: Readonly<Record<keyof Load, string>> = {
  lookUp: 'look-up of a login',
  login: 'every statement of a login',
  refresh: 'refresh',
}
const parts = Object.entries(titles)
const reads = [...plans.reads].map(([name, found]) => [name, [...found].toSorted().join(', ')])

await report({
  name: 'accounts',
  title: 'A million users',
  method:
    'The large database has 1,000,000 users, 5,000,000 sessions and 5,000,000 audit events; the small\n' +
    'one has a hundredth. Both are in memory: PostgreSQL 18 has 6 GB of `shared_buffers`, read before.\n' +
    'Nothing waits for the disk; full_page_writes is on. Random users, none twice, over one\n' +
    'connection, without the password hash. A ratio is the time in the large database, divided by that\n' +
    'in the small one.',
  measures: [
    {
      what: `statements of auth that read a whole table, of ${plans.statements}`,
      result: String(plans.faults.length),
      bar: '0',
      isMet: plans.faults.length === 0,
    },
    ...parts.map(([part, title]) =>
      under(title, compare(samples, `${part}, large`, `${part}, small`), 1.2, '×', 2),
    ),
  ],
  panels: Object.fromEntries(
    parts.map(([part, title]) => [
      title,
      [
        { label: '10,000 users', value: median(samples.get(`${part}, small`)) },
        { label: '1,000,000 users', value: median(samples.get(`${part}, large`)), isOurs: true },
      ],
    ]),
  ),
  unit: 'µs',
  appendix:
    'Statements and the indexes they use in the large database, with the plan for their values and\n' +
    `with the generic one:\n\n${markdownTable([['statement', 'reads'], ...reads.toSorted()])}\n\n` +
    `Small tables, and statements that need all rows:\n\n${describeFullReads()}`,
})

if (plans.faults.length > 0) {
  console.error(`These read a whole table:\n${plans.faults.join('\n')}`)
  process.exitCode = 1
}
