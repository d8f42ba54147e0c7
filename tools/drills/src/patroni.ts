import { setTimeout as sleep } from 'node:timers/promises'
import { startLoad } from '@latchkey/test-kit/load'
import { type Drill, type Finding, formatSeconds, pidsOf, repeat } from './drill.ts'
// biome-ignore format: a list
import { failuresOf, nobodySignedOut, noneWrong, noRestart, ofAction, type Period } from './findings.ts'
import { type Acknowledged, createWriter, lookUp } from './nothing-lost.ts'
import { judgeAnswers, loginsFailed, recovered } from './outage.ts'
import { missingPackages } from './patroni/programs.ts'
import type { PatroniServers } from './patroni/servers.ts'
import { type Answer, underTraffic } from './traffic.ts'

/** Patroni's `ttl` of 20 s, the race for the lock, and the promotion. */
const maxElectionMs = 30_000
const clients = { whoami: 6, orders: 2, login: 2, refresh: 6 }

export const patroni: Drill = {
  name: 'patroni',
  description: 'the leader of a Patroni cluster behind HAProxy killed three times under writes',
  obstacle: missingPackages,
  patroni: true,
  async run(context) {
    const { cluster, patroni: servers } = context
    if (!servers) throw new Error('This drill sets `patroni`.')
    const pids = pidsOf(cluster)
    const done: Acknowledged = { people: [], ended: [], open: [], orders: [] }
    const { answers, result: outages } = await underTraffic(cluster.url, clients, async () => {
      const outages: Period[] = []
      await repeat(context, 3, 'leaders killed', async (_, isLast) => {
        await servers.standby.until('synchronous')
        const writers = startLoad(Array.from({ length: 3 }, () => createWriter(cluster.url, done)))
        outages.push(await killLeader(servers).finally(writers.stop))
        if (!isLast) servers.standby.start()
      })
      return outages
    })
    return [
      ...(await lookUp(cluster.url, done)),
      nobodySignedOut(answers),
      ...judgeAnswers(answers),
      ...outages.flatMap((outage, i) => {
        // The answers until the leader is killed again.
        const { from: end = Number.POSITIVE_INFINITY } = outages[i + 1] ?? {}
        const isOwn = ({ answeredAt }: Answer) => answeredAt > outage.from && answeredAt < end
        const own = answers.filter(isOwn)
        return [elected(own, outage), loginsFailed(own, outage), recovered(own, outage.to)]
      }),
      noneWrong(answers),
      noRestart(cluster, pids),
    ]
  },
}

/** Kills the leader, which becomes the standby. @returns the time from the kill to the promotion */
async function killLeader(servers: PatroniServers): Promise<Period> {
  const { leader, standby } = servers
  await sleep(3_000)
  const from = performance.now()
  await leader.kill()
  await standby.until('primary')
  const to = performance.now()
  Object.assign(servers, { leader: standby, standby: leader })
  await sleep(3_000)
  return { from, to }
}

function elected(answers: readonly Answer[], { from, to }: Period): Finding {
  const logins = ofAction('login', answers).filter(({ askedAt }) => askedAt > to)
  const first = logins.find((login) => failuresOf([login]).length === 0)?.answeredAt
  return {
    claim: `a new leader is there within ${formatSeconds(maxElectionMs)} after the kill`,
    seen: `${formatSeconds(to - from)}; first login ${formatSeconds((first ?? Number.NaN) - to)} later`,
    holds: to - from < maxElectionMs,
  }
}
