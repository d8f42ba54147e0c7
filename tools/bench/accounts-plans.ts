import { resolve } from 'node:path'
import type { HasTeardown } from '@latchkey/test-kit'
import { explain, type PlanKind, type Scan } from '@latchkey/test-kit/plans'
import { recordStatements } from '@latchkey/test-kit/statements'
import pg from 'pg'
import { startAuth } from './auth-app.ts'
import { tourAuth } from './auth-tour.ts'
import { mayReadAll } from './full-scans.ts'

const source = resolve(import.meta.dirname, '../../services/auth/src')

/** How the statements of auth read tables. */
export interface Plans {
  /** Statements with another text. */
  readonly statements: number
  /** The indexes, and the tables that are read as a whole, by the name of the statement. */
  readonly reads: ReadonlyMap<string, ReadonlySet<string>>
  /** What may not be read as a whole, as `user_list (generic): users`. */
  readonly faults: readonly string[]
}

/** Runs every statement of auth on a database, and explains it. */
export async function explainAuth(t: HasTeardown, databaseUrl: string): Promise<Plans> {
  const statements = recordStatements(t, source)
  const app = await startAuth(t, databaseUrl)
  await tourAuth(app)
  const client = new pg.Client(databaseUrl)
  await client.connect()
  t.teardown(() => client.end())
  const reads = new Map<string, Set<string>>()
  const faults: string[] = []
  for (const statement of statements.values()) {
    const { name } = statement
    const found = reads.get(name) ?? new Set()
    reads.set(name, found)
    for (const kind of ['custom', 'generic'] satisfies PlanKind[]) {
      for (const scan of await explain(client, statement, kind)) {
        found.add(describe(scan))
        if (scan.isFull && !mayReadAll(statement, scan)) {
          faults.push(`${name} (${kind}): ${describe(scan)}`)
        }
      }
    }
  }
  return { statements: statements.size, reads, faults }
}

const describe = ({ table, index, isFull }: Scan): string =>
  index === undefined
    ? `${isFull ? 'all' : 'first rows'} of ${table}`
    : `${index}${isFull ? ' (all of it)' : ''}`
