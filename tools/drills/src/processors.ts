import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { Cluster } from '@latchkey/cluster/cluster'
import { familyOf } from '@latchkey/cluster/processes/process-table'
import { execa, execaSync } from 'execa'

/** Why processes cannot be pinned to processors here, if they cannot. */
export function pinningObstacle(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux, to pin processes to processors'
  if (availableParallelism() < 2) return 'needs two processors, one for the auth service'
  const { failed } = execaSync('taskset', ['--version'], { reject: false })
  return failed ? 'needs taskset (util-linux), to pin processes to processors' : undefined
}

/**
 * Gives the auth service half of the processors, and everything else, the clients included, the
 * other half: in production these run on other machines.
 *
 * @returns the auth service's processors as taskset writes them, and what undoes it for this
 *   process
 */
export async function pinAuth({ instances, restart }: Cluster) {
  const all = allowedProcessors()
  const own = all.slice(0, all.length >> 1).join()
  const others = all.slice(all.length >> 1).join()
  for (const each of familyOf(process.pid)) await pin(each, others)
  // An instance inherits its parent's processors, and counts them when it starts.
  const auth = instances.filter(({ service }) => service === 'auth')
  await pin(process.pid, own)
  for (const { name } of auth) await restart(name)
  await pin(process.pid, others)
  return { processors: own, undo: () => pin(process.pid, all.join()) }
}

function allowedProcessors(): number[] {
  const status = readFileSync('/proc/self/status', 'utf8')
  const ranges = /Cpus_allowed_list:\s+(\S+)/.exec(status)?.[1]?.split(',') ?? []
  return ranges.flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, i) => from + i)
  })
}

/** Pins a process with all its threads. A session of Postgres may have ended meanwhile. */
const pin = (pid: number, processors: string) =>
  execa('taskset', ['-acp', processors, String(pid)], { reject: false })
