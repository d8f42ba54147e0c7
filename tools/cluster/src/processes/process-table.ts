import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasCode } from '../errors/cluster-error.ts'

/** Whether a process of this id runs. One that has ended and was not yet waited for does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (err) {
    return hasCode(err, 'EPERM')
  }
  return statOf(pid)?.[0] !== 'Z'
}

/** When a process started, in whatever unit the system has: equal for the same process, else not. */
export function startOf(pid: number): string {
  return statOf(pid)?.[19] ?? inspect('ps', ['-o', 'lstart=', '-p', String(pid)])
}

/** Linux's fields of a process from the third on, its state (proc(5)). */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field, the name in brackets, may hold spaces and brackets.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

/** The command line of a process, or an empty string. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
  } catch {
    return inspect('ps', ['-o', 'command=', '-p', String(pid)])
  }
}

/** The processes started by a process and still alive. */
export function childrenOf(pid: number): number[] {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  } catch {
    text = inspect('pgrep', ['-P', String(pid)])
  }
  return text.split(/\s+/).filter(Boolean).map(Number)
}

/** Waits for a process that is no child of ours to end; `false` when it is still there at the end. */
export async function waitForEnd(pid: number, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  while (isAlive(pid)) {
    if (Date.now() > deadline) return false
    await sleep(20)
  }
  return true
}

function inspect(command: string, args: string[]): string {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return ''
  }
}
