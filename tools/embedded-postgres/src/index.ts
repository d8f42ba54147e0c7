export { EmbeddedPostgresError } from './errors.ts'
export { type PreparedPostgres, preparePostgres } from './prepare.ts'
// biome-ignore format: a list
export { type PostgresProcess, type RunningPostgres, runPostgres, startEmbeddedPostgres } from './start.ts'
export { stopWithParent } from './stop-with-parent.ts'
export { findServerUser } from './system-user.ts'
