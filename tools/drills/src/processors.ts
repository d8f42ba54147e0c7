import { execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import type { Cluster } from '@latchkey/cluster/cluster'
import { childrenOf } from '@latchkey/cluster/processes/process-table'

/** Why processes cannot be given processors of their own here, if so. */
export function pinningObstacle(): string | undefined {
  if (process.platform !== 'linux')
    return 'needs Linux, to give the auth service its own processors'
  if (availableParallelism() < 2)
    return 'needs two processors: one for the auth service, one for the rest'
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'needs taskset (util-linux), to give the auth service its own processors'
  }
}

/**
 * Gives the auth service half of the processors and everything else, the clients included, the other
 * half, as they would be on other machines. Auth instances are restarted so that they know.
 *
 * @returns the processors of the auth service, in taskset's words, and what undoes it for this process
 */
export async function giveAuthItsOwn(
  cluster: Cluster,
): Promise<{ processors: string; undo: () => void }> {
  const all = allowedProcessors()
  const half = Math.floor(all.length / 2)
  const own = all.slice(0, half).join()
  const others = all.slice(half).join()
  // A process starts where its parent runs.
  pin(process.pid, own)
  for (const { name, service } of cluster.instances)
    if (service === 'auth') await cluster.restart(name)
  pin(process.pid, others)
  for (const name of ['edge', 'postgres', ...cluster.instances.map(({ name }) => name)]) {
    const pid = cluster.pid(name)
    if (pid === undefined || name.startsWith('auth-')) continue
    for (const one of [pid, ...childrenOf(pid)]) pin(one, others)
  }
  return { processors: own, undo: () => pin(process.pid, all.join()) }
}

function allowedProcessors(): number[] {
  const text = execFileSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' })
  const list = text.slice(text.lastIndexOf(':') + 1).trim()
  return list.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, i) => from + i)
  })
}

/** With all its threads. A session of Postgres may end meanwhile. */
function pin(pid: number, processors: string): void {
  try {
    execFileSync('taskset', ['-acp', processors, String(pid)], { stdio: 'ignore' })
  } catch {}
}
