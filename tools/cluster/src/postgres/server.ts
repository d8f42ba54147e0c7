import { EmbeddedPostgresError, preparePostgres, stopWithParent } from '@latchkey/embedded-postgres'
import { ClusterError } from '../errors/cluster-error.ts'
import { findInOutput, startChild } from '../processes/child.ts'
import type { Program } from '../processes/supervised-process.ts'

type PostgresOptions = Parameters<typeof preparePostgres>[0]

/**
 * Prepares the embedded server.
 *
 * @returns the program to supervise, and the superuser's connection URI
 * @throws ClusterError
 */
export async function prepareServer(
  options: PostgresOptions & { readonly logFile: string },
): Promise<{ program: Program<true>; adminUrl: string }> {
  const { url, readyText, ...server } = await preparePostgres(options).catch((err) => {
    if (!(err instanceof EmbeddedPostgresError)) throw err
    throw new ClusterError(
      `The embedded PostgreSQL cannot start: ${err.message}. To use your own server, give its address with --database-url.`,
    )
  })
  const program: Program<true> = {
    name: 'postgres',
    launch() {
      const child = startChild({ ...server, logFile: options.logFile })
      const { pid } = child.process
      if (pid !== undefined) void child.process.then(stopWithParent(pid, server.user))
      return child
    },
    untilReady: (child, signal) =>
      findInOutput(child, (log) => log.includes(readyText) || undefined, signal),
  }
  return { program, adminUrl: url }
}
