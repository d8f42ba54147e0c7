import { setTimeout as sleep } from 'node:timers/promises'
import { type Drill, killAndAwaitRestart, repeat } from './drill.ts'
import { failuresOutside, noneFails, noneWrong, type Period, summarize } from './findings.ts'
import { mixedClients, underTraffic } from './traffic.ts'

/** How long the edge may take to notice a death, in milliseconds. */
const noticeMs = 100

/** Kills instances of every service while clients read and write. */
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
    const reads = answers.filter(({ action }) => action === 'whoami')
    const strays = failuresOutside(answers, deaths)
    return [
      noneFails('no read fails, because the edge may repeat it', reads),
      {
        claim: 'a write fails only if a dying instance had it',
        seen: `${summarize(answers)}; ${strays.length} failures at other times`,
        holds: strays.length === 0,
      },
      noneWrong(answers),
      {
        claim: 'every killed instance serves again',
        seen: `${deaths.length} kills`,
        holds: cluster.instances.every(({ url }) => url !== undefined),
      },
    ]
  },
}
