import { closeSync, openSync, readSync, renameSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa, type ResultPromise } from 'execa'

export interface ChildOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** Receives both output streams. */
  readonly logFile: string
  readonly ipc?: boolean
  /** The user to run as, if not the current one. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  /** Sent by `kill()` without a signal. SIGKILL follows after the timeout. */
  readonly stopSignal: NodeJS.Signals
  readonly stopTimeoutMs: number
}

/** A started process, wrapped: awaiting execa's own object would wait for the process to exit. */
export interface Child {
  readonly process: ResultPromise<{ buffer: false; reject: false; ipc: true }>
  isRunning(): boolean
  /** Its output since it started, at most 64 KiB. */
  output(): string
}

const maxOutputBytes = 64 * 1024
/** A larger log is renamed to `<name>.old` at the next start. */
const maxLogBytes = 10 * 1024 * 1024

/**
 * Starts a process that writes directly to its log file, not through a pipe, which would break if
 * the cluster were killed. It gets its own process group: Ctrl-C at the terminal reaches the
 * cluster alone, which then stops everything in order.
 */
export function startChild(options: ChildOptions): Child {
  const { command, args, env, logFile, ipc = false, user, stopSignal, stopTimeoutMs } = options
  const logBytes = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0
  if (logBytes > maxLogBytes) renameSync(logFile, `${logFile}.old`)
  const from = logBytes > maxLogBytes ? 0 : logBytes
  const log = openSync(logFile, 'a', 0o600) as 3 // execa accepts any descriptor; its types stop at 9.
  const child = execa(command, args, {
    env,
    extendEnv: false,
    detached: true,
    stdin: 'ignore',
    stdout: log,
    stderr: log,
    ipc,
    buffer: false,
    reject: false,
    killSignal: stopSignal,
    forceKillAfterDelay: stopTimeoutMs,
    ...user,
  })
  closeSync(log)
  const { nodeChildProcess } = child
  return {
    process: child as unknown as Child['process'],
    isRunning: () =>
      child.pid !== undefined &&
      nodeChildProcess.exitCode === null &&
      nodeChildProcess.signalCode === null,
    output: () => readTail(logFile, from),
  }
}

function readTail(file: string, from: number): string {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  const text = Buffer.alloc(Math.max(0, Math.min(size - from, maxOutputBytes)))
  if (text.length === 0) return ''
  const log = openSync(file, 'r')
  readSync(log, text, 0, text.length, size - text.length)
  closeSync(log)
  return text.toString()
}

/** Polls the output until `find` returns something. */
export async function findInOutput<T>(
  child: Child,
  find: (output: string) => T | undefined,
  signal: AbortSignal,
): Promise<T> {
  for (;;) {
    const found = find(child.output())
    if (found !== undefined) return found
    await sleep(20, undefined, { signal })
  }
}

/** The last error in an output, as a phrase, or its last line if it has no error. */
export function lastErrorLine(output: string): string {
  const lines = output.split('\n').map((line) => line.trim())
  const error = lines.findLast((line) => /Error: |cannot start|FATAL|"level":[56]0/.test(line))
  const line = error ?? lines.findLast((text) => text !== '') ?? ''
  try {
    const { err, msg } = JSON.parse(line)
    return String(err?.message ?? msg)
  } catch {
    return line
  }
}
