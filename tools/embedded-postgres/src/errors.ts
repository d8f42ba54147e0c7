/** PostgreSQL cannot run here. The message is one sentence that names the reason. */
export class EmbeddedPostgresError extends Error {
  override name = 'EmbeddedPostgresError'
}
