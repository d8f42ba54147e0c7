import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import type { Test } from 'tap'
import { repository } from '../src/processes/node.ts'

const main = join(import.meta.dirname, '../src/main.ts')

/** Starts `node tools/cluster/src/main.ts` with flags. */
export const runMain = (t: Test, ...flags: string[]) => start(t, process.execPath, [main, ...flags])

/** Starts `npm start` with flags. */
export const runNpm = (t: Test, ...flags: string[]) => start(t, 'npm', ['start', '--', ...flags])

function start(t: Test, command: string, args: string[]) {
  const child = execa(command, args, {
    cwd: repository,
    stdin: 'ignore',
    all: true,
    buffer: false,
    reject: false,
  })
  let output = ''
  child.all.on('data', (chunk) => {
    output += chunk
  })
  const exited = child.then(({ exitCode }) => exitCode)
  t.teardown(() => {
    child.kill()
    return exited
  })
  return {
    process: child.nodeChildProcess,
    output: () => output,
    /** Resolves with its exit code. */
    exited,
    /** Resolves when the output matches. */
    async sees(pattern: RegExp) {
      while (!pattern.test(output)) {
        const code = await Promise.race([sleep(20, 'running'), exited])
        if (code !== 'running') throw new Error(`exited with ${code}: ${output}`)
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

/** Whether all of them end within the timeout. */
export async function allEnd(pids: readonly number[], timeoutMs = 10_000): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  while (pids.some(isAlive)) {
    if (Date.now() > deadline) return false
    await sleep(20)
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
