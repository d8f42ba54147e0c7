import { readdirSync } from 'node:fs'
import { escapeIdentifier, type Pool } from 'pg'
import { readOnlyServer } from './database-errors.ts'

/** What a service needs to know about its schema before it migrates or serves. */
export interface SchemaState {
  /** The first existing schema of the role's search_path: tables are created there. */
  schema: string | null
  role: string
  /** Whether the role may create tables in the schema. */
  mayCreate: boolean
  /** Names of the migrations that the schema lacks, in order. */
  pending: string[]
  /** Names of the migrations that the folder lacks: those of a newer release. */
  unknown: string[]
}

/**
 * Compares the schema with a folder of migrations. Migrations that only the schema knows are those
 * of a newer release, and do no harm.
 *
 * @throws DatabaseError 25006 when the server is read-only
 */
export async function readSchemaState(
  db: Pick<Pool, 'query'>,
  migrations: URL,
): Promise<SchemaState> {
  const { rows } = await db.query(`
    SELECT current_schema() AS schema, current_user AS role,
           coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS "mayCreate",
           current_setting('transaction_read_only')::boolean AS "isReadOnly",
           to_regclass(quote_ident(current_schema()) || '.migrations') IS NOT NULL AS "hasTable"`)
  const { schema, role, mayCreate, isReadOnly, hasTable } = rows[0]
  if (isReadOnly) throw readOnlyServer()
  const applied = hasTable
    ? await db.query(`SELECT name FROM ${escapeIdentifier(schema)}.migrations`)
    : { rows: [] }
  const names = new Set<string>(applied.rows.map(({ name }) => name))
  const known = new Set(listMigrations(migrations))
  const pending = [...known].filter((name) => !names.has(name))
  const unknown = [...names].filter((name) => !known.has(name)).sort()
  return { schema, role, mayCreate, pending, unknown }
}

/** The names of the migrations in a folder, in order. */
function listMigrations(folder: URL): string[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.sql'))
  return files.map((file) => file.slice(0, -'.sql'.length)).sort()
}

/** Throws while the database cannot serve this release: unreachable, read-only, or not migrated. */
export async function assertSchemaIsCurrent(db: Pool, migrations: URL): Promise<void> {
  const { pending } = await readSchemaState(db, migrations)
  if (pending.length === 0) return
  throw new Error(
    `the database lacks the migrations ${pending.join(', ')}; run \`main.ts migrate\``,
  )
}
