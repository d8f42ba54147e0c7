import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, fstatSync, openSync, readSync, renameSync, statSync } from 'node:fs'

/** A process to start. */
export interface ChildOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** Where its output goes, both streams in one. */
  readonly logFile: string
  /** Whether it talks to us over an IPC channel. */
  readonly ipc: boolean
  /** Who it runs as, where that is not us. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
}

/** A started process and what it has written so far. */
export interface Child {
  readonly process: ChildProcess
  /** Its output since it started, at most the last 64 KiB. */
  output(): string
}

const maxOutputBytes = 64 * 1024
/** A log larger than this is put aside at the next start, replacing the one put aside before. */
const maxLogBytes = 10 * 1024 * 1024

/**
 * Starts a process whose output goes straight to its log.
 *
 * It leads a process group of its own, so that Ctrl-C at the terminal reaches the cluster alone, which
 * then stops everything in order. The log is no pipe, so that a process outlives us cleanly.
 */
export function startChild({ command, args, env, logFile, ipc, user }: ChildOptions): Child {
  rotate(logFile)
  const log = openSync(logFile, 'a+', 0o600)
  const from = fstatSync(log).size
  const child = spawn(command, args, {
    env,
    detached: true,
    stdio: ipc ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
    ...user,
  })
  let open = true
  child.once('close', () => {
    // What is still asked about the output is asked as the process ends.
    setTimeout(() => {
      open = false
      closeSync(log)
    }, 1_000).unref()
  })
  return {
    process: child,
    output() {
      if (!open) return ''
      const start = Math.max(from, fstatSync(log).size - maxOutputBytes)
      const text = Buffer.allocUnsafe(maxOutputBytes)
      return text.toString('utf8', 0, readSync(log, text, 0, maxOutputBytes, start))
    },
  }
}

function rotate(logFile: string): void {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0
  if (size > maxLogBytes) renameSync(logFile, `${logFile}.old`)
}

/** What a process complained about last, as a phrase; failing that, the last it said. */
export function lastWords(output: string): string {
  const lines = output.split('\n').map((line) => line.trim())
  const complaint = lines.findLast((line) => /Error: |cannot start|FATAL|"level":[56]0/.test(line))
  return messageOf(complaint ?? lines.findLast((line) => line !== '') ?? '')
}

/** A log line of ours is JSON; a sentence on standard error is not. */
function messageOf(line: string): string {
  try {
    const { err, msg } = JSON.parse(line)
    return String(err?.message ?? msg)
  } catch {
    return line
  }
}
