export { EmbeddedPostgresError } from './errors.ts'
export { type PreparedPostgres, preparePostgres } from './prepare.ts'
export { type RunningPostgres, startEmbeddedPostgres } from './start.ts'
export { stopWithParent } from './stop-with-parent.ts'
