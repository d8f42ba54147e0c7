import { error, type Finding, ok } from './finding.ts'

/** Compares the schema of the database with the migrations of this release. */
export function checkSchema(state: { pending: string[]; unknown: string[] }): Finding[] {
  const { pending, unknown } = state
  if (pending.length > 0) {
    const text = `The database lacks the migrations ${pending.join(', ')}: auth is not ready.`
    return [error('migrations_pending', `${text} Run main.ts migrate.`)]
  }
  if (unknown.length > 0) {
    const text = `A newer release has run the migrations ${unknown.join(', ')}; they do no harm.`
    return [ok('schema_newer', text)]
  }
  return [ok('schema', 'The schema is that of this release.')]
}
