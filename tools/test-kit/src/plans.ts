import type { ClientBase } from 'pg'
import type { Statement } from './statements.ts'

/** How a plan reads a table. */
export interface Scan {
  readonly table: string
  /** `undefined`: it reads the whole table. */
  readonly index: string | undefined
  /** Whether it reads rows that it does not need, and more of them the larger the table is. */
  readonly isFull: boolean
}

/** A node of a plan, as `EXPLAIN (FORMAT JSON)` prints it. */
interface PlanNode {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Index Cond'?: string
  Filter?: string
  'Conflict Arbiter Indexes'?: string[]
  Plans?: PlanNode[]
}

/** The planner, or the plan that it makes for any values, which a prepared statement may get. */
export type PlanKind = 'custom' | 'generic'

/** @returns how the statement reads tables: what its functions and triggers read is not shown */
export async function explain(
  client: ClientBase,
  { text, values }: Pick<Statement, 'text' | 'values'>,
  kind: PlanKind,
): Promise<Scan[]> {
  const result = await (kind === 'generic'
    ? client.query(`EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${text}`)
    : client.query(`EXPLAIN (FORMAT JSON) ${text}`, [...values]))
  const [{ Plan }] = result.rows[0]['QUERY PLAN']
  return findScans(Plan, await listPartialIndexes(client))
}

/** A scan of these is limited by the predicate of the index. */
async function listPartialIndexes(client: ClientBase): Promise<Set<string>> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT indexrelid::regclass::text AS name FROM pg_index WHERE indpred IS NOT NULL',
  )
  return new Set(rows.map(({ name }) => name))
}

/** Nodes that read no more rows from the node below than their own parent needs. */
const transparent = new Set(['Limit', 'LockRows', 'Result', 'Subquery Scan'])

function findScans(
  node: PlanNode,
  partial: ReadonlySet<string>,
  { isLimited = false, parentTable = '' } = {},
): Scan[] {
  const { 'Node Type': type, 'Relation Name': table = parentTable, 'Index Name': index } = node
  const readsFew = isLimited && node.Filter === undefined
  const selects = node['Index Cond'] !== undefined || (index !== undefined && partial.has(index))
  const isScan = type === 'Seq Scan' || index !== undefined
  const below = {
    isLimited: type === 'Limit' || (isLimited && transparent.has(type)),
    parentTable: table,
  }
  return [
    ...(isScan ? [{ table, index, isFull: !selects && !readsFew }] : []),
    ...(node['Conflict Arbiter Indexes'] ?? []).map((index) => ({ table, index, isFull: false })),
    ...(node.Plans ?? []).flatMap((child) => findScans(child, partial, below)),
  ]
}

/** @returns the foreign keys that a deletion checks by reading the whole referencing table */
export async function findForeignKeysWithoutIndex(client: ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(`
    SELECT conrelid::regclass || '.' || conname AS name FROM pg_constraint
     WHERE contype = 'f' AND NOT EXISTS (
       SELECT FROM pg_index
        WHERE indrelid = conrelid
          AND coalesce(pg_get_expr(indpred, indrelid), '') ~ '^$|^\\(\\w+ IS NOT NULL\\)$'
          AND (indkey::int2[])[0:cardinality(conkey) - 1] @> conkey)`)
  return rows.map(({ name }) => name)
}
