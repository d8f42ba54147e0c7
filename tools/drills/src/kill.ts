import { setTimeout as sleep } from 'node:timers/promises'
import { serviceNames } from '@latchkey/cluster/services/services'
import { type Drill, killAndAwait, scaled } from './drill.ts'
import { type Answer, failuresOf, nothingWrong, startTraffic, summary } from './traffic.ts'

/** How long after a death the edge may take it for alive, in milliseconds. */
const noticeMs = 100

/** Instances of every kind die without a word, while clients read and write. */
export const kill: Drill = {
  name: 'kill',
  what: 'SIGKILL of an instance of each service in turn, thrice, under reads and writes',
  instances: 2,
  async run({ cluster, scale, progress }) {
    const { answers, stop } = await startTraffic(cluster.url, {
      whoami: 6,
      orders: 4,
      login: 2,
      refresh: 4,
    })
    const deaths: { from: number; to: number }[] = []
    const total = scaled(9, scale)
    for (let n = 0; n < total; n += 1) {
      const name = `${serviceNames[n % serviceNames.length]}-${(n % 2) + 1}`
      const from = performance.now()
      const successor = killAndAwait(cluster, name)
      while (cluster.isUp(name)) await sleep(1)
      deaths.push({ from, to: performance.now() + noticeMs })
      await successor
      progress(n + 1, total, 'kills')
      await sleep(1_000)
    }
    await stop()
    const wasInHand = ({ askedAt, answeredAt }: Answer) =>
      deaths.some(({ from, to }) => askedAt <= to && answeredAt >= from)
    const failures = failuresOf(answers)
    const reads = answers.filter(({ deed }) => deed === 'whoami')
    const strays = failures.filter((answer) => !wasInHand(answer))
    return [
      {
        claim: 'of reads, which the edge may repeat, none fails',
        seen: summary(reads),
        holds: reads.length > 0 && failuresOf(reads).length === 0,
      },
      {
        claim: 'of writes only those in the hands of a dying instance fail',
        seen: `${summary(answers.filter(({ deed }) => deed !== 'whoami'))}; ${strays.length} of them at another time`,
        holds: strays.length === 0,
      },
      nothingWrong(answers),
      {
        claim: 'what was killed serves again',
        seen: `${deaths.length} kills`,
        holds: cluster.instances.every(({ url }) => url !== undefined),
      },
    ]
  },
}
