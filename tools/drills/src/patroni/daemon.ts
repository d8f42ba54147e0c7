import { setTimeout as sleep } from 'node:timers/promises'
import { lastErrorLine, startChild } from '@latchkey/cluster/processes/child'
import { signalFamily } from '@latchkey/cluster/processes/process-table'
import { type findServerUser, stopWithParent } from '@latchkey/embedded-postgres'

export interface DaemonOptions {
  readonly command: string
  readonly args?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly logFile: string
  readonly user: ReturnType<typeof findServerUser>
}

/** A process that serves until it is killed. */
export interface Daemon {
  /** Resolves when this address, which it serves, answers with 200. */
  untilOk(url: string): Promise<void>
  /** Kills it with all its descendants; resolves when it has ended. */
  kill(): Promise<void>
}

/** Starts a process. It stops when this process dies. */
export function startDaemon({ args = [], env, ...options }: DaemonOptions): Daemon {
  const child = startChild({
    ...options,
    args,
    // Variables of the caller, such as PGHOST, must not apply.
    env: { PATH: process.env.PATH, LC_ALL: 'C', ...env },
    stopSignal: 'SIGKILL',
    stopTimeoutMs: 0,
  })
  const { pid } = child.process
  if (pid === undefined) throw new Error(`${options.command} cannot be started.`)
  const exited = child.process.then(stopWithParent(pid, options.user))
  return {
    async untilOk(url) {
      const deadline = performance.now() + 120_000
      while (!(await isOk(url))) {
        if (performance.now() > deadline) {
          throw new Error(`No 200 from ${url}; last in its log: ${lastErrorLine(child.output())}`)
        }
        await sleep(50)
      }
    },
    kill() {
      if (child.isRunning()) signalFamily(pid, 'SIGKILL')
      return exited
    },
  }
}

const isOk = (url: string): Promise<boolean> =>
  fetch(url, { signal: AbortSignal.timeout(5_000) }).then(
    ({ ok }) => ok,
    () => false,
  )
