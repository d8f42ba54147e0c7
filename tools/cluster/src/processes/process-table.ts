import { readFileSync } from 'node:fs'
import { execaSync } from 'execa'
import { hasCode } from '../errors/cluster-error.ts'

/** Signals a process and all its descendants, unless they have ended. */
export function signalFamily(pid: number | undefined, signal: NodeJS.Signals): void {
  for (const each of pid === undefined ? [] : familyOf(pid)) {
    try {
      process.kill(each, signal)
    } catch (err) {
      if (!hasCode(err, 'ESRCH')) throw err
    }
  }
}

/** The IDs of a process and of all its descendants. */
export const familyOf = (pid: number): number[] => [pid, ...childrenOf(pid).flatMap(familyOf)]

function childrenOf(pid: number): number[] {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  } catch {
    text = execaSync('pgrep', ['-P', String(pid)], { reject: false }).stdout ?? ''
  }
  return text.split(/\s+/).filter(Boolean).map(Number)
}
