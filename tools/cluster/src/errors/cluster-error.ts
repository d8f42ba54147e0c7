/** A failure the user can act on. The message is one sentence, printed without a stack trace. */
export class ClusterError extends Error {
  override name = 'ClusterError'
}

/** Whether an error carries one of these codes, such as `ENOENT` or an SQLSTATE. */
export function hasCode(err: unknown, ...codes: string[]): boolean {
  return err instanceof Error && 'code' in err && codes.includes(String(err.code))
}
