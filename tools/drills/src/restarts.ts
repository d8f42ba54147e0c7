import { setTimeout as sleep } from 'node:timers/promises'
import { type Drill, formatSeconds, killAndAwaitRestart, pidsOf, repeat } from './drill.ts'
import { noneFails, noneFailsOutside, noneWrong, ofAction, type Period } from './findings.ts'
import { mixedClients, underTraffic } from './traffic.ts'

/** How long the edge may take to notice a death, in milliseconds. */
const noticeMs = 100
const edgeBackMs = 3_000

export const kill: Drill = {
  name: 'kill',
  description:
    'SIGKILL of an instance of each service in turn, three times, under reads and writes',
  async run(context) {
    const { cluster } = context
    const services = [...new Set(cluster.instances.map(({ service }) => service))]
    const deaths: Period[] = []
    const { answers } = await underTraffic(cluster.url, mixedClients, () =>
      repeat(context, 9, 'kills', async (n) => {
        const name = `${services[n % services.length]}-${(n % 2) + 1}`
        const from = performance.now()
        const restarted = killAndAwaitRestart(cluster, name)
        while (cluster.isUp(name)) await sleep(1)
        deaths.push({ from, to: performance.now() + noticeMs })
        await restarted
        await sleep(1_000)
      }),
    )
    return [
      noneFails(
        'no read fails, because the edge repeats it on another instance',
        ofAction('whoami', answers),
      ),
      noneFailsOutside(
        'a write fails only if the killed instance had received it',
        answers,
        deaths,
      ),
      noneWrong(answers),
      {
        claim: 'every killed instance serves again',
        seen: `${deaths.length} kills`,
        holds: cluster.instances.every(({ url }) => url !== undefined),
      },
    ]
  },
}

/** Stops and starts every instance, one after another, as an update does. */
export const rollingRestart: Drill = {
  name: 'rolling-restart',
  description: 'every instance restarted in turn, twice, under reads, writes, logins and refreshes',
  async run(context) {
    const { cluster } = context
    const before = pidsOf(cluster)
    const { answers } = await underTraffic(cluster.url, mixedClients, async () => {
      await repeat(context, 2, 'rounds of restarts', async () => {
        for (const { name } of cluster.instances) await cluster.restart(name)
      })
      await sleep(1_000)
    })
    const renewed = pidsOf(cluster).filter((pid, i) => pid !== before[i])
    return [
      noneFails('no request fails', answers),
      {
        claim: 'every instance is a new process',
        seen: `${renewed.length} of ${before.length}`,
        holds: renewed.length === before.length,
      },
    ]
  },
}

/** Restarts the edge, which is a single process here. */
export const edgeRestarted: Drill = {
  name: 'edge-restarted',
  description: 'the edge restarted five times and killed once, under load',
  async run(context) {
    const { cluster } = context
    const gaps: Period[] = []
    const clients = { whoami: 6, orders: 4, refresh: 4 }
    const { answers } = await underTraffic(cluster.url, clients, () =>
      repeat(context, 6, 'restarts', async (_, isLast) => {
        const from = performance.now()
        if (isLast) await killAndAwaitRestart(cluster, 'edge')
        else await cluster.restart('edge')
        gaps.push({ from, to: performance.now() })
        await sleep(1_000)
      }),
    )
    const longest = Math.max(...gaps.map(({ from, to }) => to - from))
    return [
      {
        claim: `the edge serves again within ${formatSeconds(edgeBackMs)}`,
        seen: `longest of ${gaps.length}: ${formatSeconds(longest)}`,
        holds: longest < edgeBackMs,
      },
      noneFailsOutside(
        'a client that retries succeeds: only requests sent while the edge was down fail',
        answers,
        gaps,
      ),
      noneWrong(answers),
    ]
  },
}
