/** Something the person at the keyboard can act on: the message is one sentence, printed without a stack. */
export class ClusterError extends Error {
  override name = 'ClusterError'
}

/** A mistake on the command line. */
export class UsageError extends ClusterError {
  override name = 'UsageError'
}

/** Whether an error of the operating system has this code, as `ENOENT`. */
export function hasCode(err: unknown, ...codes: string[]): boolean {
  return err instanceof Error && 'code' in err && codes.includes(String(err.code))
}
