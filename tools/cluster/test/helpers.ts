import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { childrenOf } from '../src/processes/process-table.ts'

const main = join(import.meta.dirname, '../src/main.ts')

/** A cluster started from the command line. */
export interface CommandLine {
  readonly process: ChildProcess
  output(): string
  /** Resolves when the output matches. */
  sees(pattern: RegExp): Promise<void>
  /** Resolves with its exit code. */
  readonly exited: Promise<number | null>
}

/** Starts `node tools/cluster/src/main.ts` with flags. */
export function runMain(t: Test, ...flags: string[]): CommandLine {
  const child = spawn(process.execPath, [main, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let heard = () => {}
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      heard()
    })
  }
  const exited = once(child, 'close').then(([code]) => code as number | null)
  t.teardown(async () => {
    child.kill('SIGTERM')
    await exited
  })
  return {
    process: child,
    output: () => output,
    exited,
    async sees(pattern) {
      while (!pattern.test(output)) {
        const more = new Promise<void>((resolve) => {
          heard = resolve
        })
        const code = await Promise.race([more, exited])
        if (code !== undefined) throw new Error(`exited with ${code}: ${output}`)
      }
    },
  }
}

/** Whether a process exists and is not a zombie, which has ended but was not waited for. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    const isLinux = process.platform === 'linux'
    return !isLinux || !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** A process and all its descendants. */
export function familyOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(familyOf)]
}

/** Whether all of them end within the timeout. */
export async function allEnd(pids: readonly number[], timeoutMs = 10_000): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  while (pids.some(isAlive)) {
    if (Date.now() > deadline) return false
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return true
}

/** A folder that the user `postgres` can enter. */
export async function makeFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-cluster-test-'))
  await chmod(folder, 0o711)
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Sends requests one after another until stopped, and counts the responses by status. */
export function keepAsking(ask: () => Promise<Response>) {
  const seen = new Map<number | string, number>()
  let asking = true
  const done = (async () => {
    while (asking) {
      const status = await ask().then(
        async (response) => {
          await response.arrayBuffer()
          return response.status
        },
        (err) => String(err.cause ?? err),
      )
      seen.set(status, (seen.get(status) ?? 0) + 1)
    }
  })()
  return async () => {
    asking = false
    await done
    return Object.fromEntries(seen)
  }
}
