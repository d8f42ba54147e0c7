import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'
import { type Drill, formatSeconds, residentMb } from './drill.ts'
import { maxResidentMb } from './resident-memory.ts'

const limits = { residentMb: maxResidentMb.atRest, readyMs: 2_000, stopMs: 10_000 }

export const atRest: Drill = {
  name: 'at-rest',
  description: 'a minute without requests; then an instance of each service stopped and started',
  instances: 1,
  obstacle: () => (process.platform === 'linux' ? undefined : 'needs Linux, to read memory'),
  async run({ cluster, scale, progress }) {
    const names = cluster.instances.map(({ name }) => name)
    progress(0, 1, 'rest')
    await sleep(60_000 * scale)
    const resident = names.map((name) => residentMb(cluster.pid(name)))
    progress(0, 1, 'restarts')
    const restarts: Awaited<ReturnType<typeof restart>>[] = []
    for (const name of names) restarts.push(await restart(cluster, name))
    const list = (values: readonly string[]) =>
      names.map((name, i) => `${name} ${values[i]}`).join(', ')
    return [
      {
        claim: `resident memory under ${limits.residentMb} MB`,
        seen: list(resident.map((mb) => `${mb.toFixed(0)} MB`)),
        holds: resident.every((mb) => mb < limits.residentMb),
        needsQuiet: true,
      },
      {
        claim: `ready in under ${formatSeconds(limits.readyMs)}`,
        seen: list(restarts.map(({ readyMs }) => formatSeconds(readyMs))),
        holds: restarts.every(({ readyMs }) => readyMs < limits.readyMs),
        needsQuiet: true,
      },
      {
        claim: `stops within ${formatSeconds(limits.stopMs)}, with exit code 0`,
        seen: list(restarts.map(({ stopMs, exitCode }) => `${formatSeconds(stopMs)}, ${exitCode}`)),
        holds: restarts.every(({ stopMs, exitCode }) => stopMs < limits.stopMs && exitCode === 0),
      },
    ]
  },
}

async function restart(cluster: Cluster, name: string) {
  const stoppedAt = performance.now()
  const exitCode = await cluster.stopProcess(name)
  const startedAt = performance.now()
  await cluster.startProcess(name)
  return { exitCode, stopMs: startedAt - stoppedAt, readyMs: performance.now() - startedAt }
}
