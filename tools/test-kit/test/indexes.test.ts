import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import { startAuth } from '../../bench/auth-app.ts'
import { tourAuth } from '../../bench/auth-tour.ts'
import { mayReadAll } from '../../bench/full-scans.ts'
import { createDatabase } from '../src/index.ts'
import { explain, findForeignKeysWithoutIndex, type PlanKind } from '../src/plans.ts'
import { recordStatements } from '../src/statements.ts'

const source = resolve(import.meta.dirname, '../../../services/auth/src')

/** The lines of auth that run a statement. */
function findLines(): string[] {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  return files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      const lines = readFileSync(join(source, file), 'utf8').split('\n')
      return lines.flatMap((line, index) => (runs.test(line) ? `${file}:${index + 1}` : []))
    })
}

const runs = /^(?! *(\*|\/\/)).*((?<!request)\b\.query\b|(?<!function )deleteInBatches\()/

/** The statements of auth, and a connection that plans them as if every table were large. */
async function recordAuth(t: Test) {
  const statements = recordStatements(t, source)
  const app = await startAuth(t, await createDatabase(t))
  await tourAuth(app)
  const client = await app.db.connect()
  t.teardown(() => client.release(true))
  // Otherwise a small table is read as a whole, whatever indexes it has. A wrong index, such as one by
  // expiry, can still hide that the right one is missing: `npm run bench -- accounts` finds that.
  await client.query('SET enable_seqscan = off')
  return { client, statements: [...statements.values()] }
}

t.test('every statement of auth finds its rows by an index', async (t) => {
  const { client, statements } = await recordAuth(t)
  const recorded = new Set(statements.flatMap(({ lines }) => [...lines]))
  t.strictSame(
    findLines().filter((line) => !recorded.has(line)),
    [],
    'tools/bench/auth-tour.ts runs the statement of each of these lines',
  )
  const { rows } = await client.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int AS version`,
  )
  const hasGeneric = Number(rows[0]?.version) >= 160_000
  const kinds: PlanKind[] = hasGeneric ? ['custom', 'generic'] : ['custom']
  for (const statement of statements) {
    for (const kind of kinds) {
      const scans = await explain(client, statement, kind)
      const full = scans.filter((scan) => scan.isFull && !mayReadAll(statement, scan))
      t.strictSame(full, [], `${statement.name}, ${kind} plan`)
    }
  }
  t.strictSame(await findForeignKeysWithoutIndex(client), [])

  await client.query('DROP INDEX users_email_idx, sessions_user_id_idx, sessions_open_idx')
  t.strictSame(await findForeignKeysWithoutIndex(client), ['sessions.sessions_user_id_fkey'])
  for (const name of ['password_reset_request', 'login_admit']) {
    const statement = statements.find((statement) => statement.name === name)
    const scans = statement ? await explain(client, statement, 'custom') : []
    t.ok(
      scans.some(({ isFull }) => isFull),
      `${name} misses an index that does not exist`,
    )
  }
})
