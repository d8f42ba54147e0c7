import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'
import { type Drill, residentMb, seconds } from './drill.ts'

/** What every service keeps to. */
const limits = { residentMb: 120, readyMs: 1_000, stopMs: 10_000 }

/** What a service takes when nobody asks for anything. */
export const atRest: Drill = {
  name: 'at-rest',
  what: 'a minute of nothing; then an instance of each service is stopped and started',
  instances: 1,
  obstacle: () => (process.platform === 'linux' ? undefined : 'needs Linux, to see memory'),
  async run({ cluster, scale, progress }) {
    const names = cluster.instances.map(({ name }) => name)
    progress(1, names.length + 1, 'rest')
    await sleep(60_000 * scale)
    const resident = names.map((name) => residentMb(cluster.pid(name)))
    const restarts: Awaited<ReturnType<typeof restart>>[] = []
    for (const name of names) {
      progress(restarts.length + 2, names.length + 1, 'restarts')
      restarts.push(await restart(cluster, name))
    }
    const each = (values: readonly string[]) =>
      names.map((name, i) => `${name} ${values[i]}`).join(', ')
    return [
      {
        claim: `under ${limits.residentMb} MB resident`,
        seen: each(resident.map((mb) => `${mb.toFixed(0)} MB`)),
        holds: resident.every((mb) => mb < limits.residentMb),
        needsQuiet: true,
      },
      {
        claim: `ready in under ${seconds(limits.readyMs)}`,
        seen: each(restarts.map(({ readyMs }) => seconds(readyMs))),
        holds: restarts.every(({ readyMs }) => readyMs < limits.readyMs),
        needsQuiet: true,
      },
      {
        claim: 'stops within its grace, with exit code 0',
        seen: each(restarts.map(({ stopMs, exitCode }) => `${seconds(stopMs)}, ${exitCode}`)),
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
