import { setTimeout as sleep } from 'node:timers/promises'
import { type Drill, formatSeconds, killAndAwaitRestart, pidsOf, repeat } from './drill.ts'
import { failuresOutside, noneFails, noneWrong, type Period, summarize } from './findings.ts'
import { mixedClients, underTraffic } from './traffic.ts'

const edgeBackMs = 3_000

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
    const strays = failuresOutside(answers, gaps)
    const longest = Math.max(...gaps.map(({ from, to }) => to - from))
    const lastGapEnd = gaps.at(-1)?.to ?? 0
    return [
      {
        claim: `the edge serves again within ${formatSeconds(edgeBackMs)}`,
        seen: `longest of ${gaps.length}: ${formatSeconds(longest)}`,
        holds: longest < edgeBackMs,
      },
      {
        claim: 'a client that retries succeeds: only requests sent while the edge was down fail',
        seen: `${summarize(answers)}; ${strays.length} failures at other times`,
        holds: strays.length === 0 && answers.some(({ askedAt }) => askedAt > lastGapEnd),
      },
      noneWrong(answers),
    ]
  },
}
