import { setTimeout as sleep } from 'node:timers/promises'
import { type Drill, killAndAwait, scaled, seconds } from './drill.ts'
import { failuresOf, nothingWrong, startTraffic, summary } from './traffic.ts'

/** Every instance is stopped in order and started again, one after another, as for a new version. */
export const rollingRestart: Drill = {
  name: 'rolling-restart',
  what: 'every instance in turn, twice, under reads, writes, logins and refreshes',
  instances: 2,
  async run({ cluster, scale, progress }) {
    const before = cluster.instances.map(({ name }) => cluster.pid(name))
    const { answers, stop } = await startTraffic(cluster.url, {
      whoami: 6,
      orders: 4,
      login: 2,
      refresh: 4,
    })
    const names = cluster.instances.map(({ name }) => name)
    const rounds = scaled(2, scale)
    for (let n = 0; n < names.length * rounds; n += 1) {
      await cluster.restart(names[n % names.length] ?? '')
      progress(n + 1, names.length * rounds, 'restarts')
    }
    await sleep(1_000)
    await stop()
    const renewed = names.filter((name, i) => cluster.pid(name) !== before[i])
    return [
      {
        claim: 'no request fails',
        seen: summary(answers),
        holds: answers.length > 0 && failuresOf(answers).length === 0,
      },
      {
        claim: 'every instance is a new process',
        seen: `${renewed.length} of ${names.length}`,
        holds: renewed.length === names.length,
      },
    ]
  },
}

/** The edge is one process here; what clients see of its restart depends on whether they try again. */
export const edgeRestarted: Drill = {
  name: 'edge-restarted',
  what: 'the edge is stopped and started five times, and killed once, under load',
  instances: 2,
  async run({ cluster, scale, progress }) {
    const { answers, stop } = await startTraffic(cluster.url, { whoami: 6, orders: 4, refresh: 4 })
    const gaps: { from: number; to: number }[] = []
    const total = scaled(6, scale)
    for (let n = 1; n <= total; n += 1) {
      const from = performance.now()
      if (n === total) await killAndAwait(cluster, 'edge')
      else await cluster.restart('edge')
      gaps.push({ from, to: performance.now() })
      progress(n, total, 'restarts')
      await sleep(1_000)
    }
    await stop()
    const failures = failuresOf(answers)
    const strays = failures.filter(
      ({ askedAt, answeredAt }) =>
        !gaps.some(({ from, to }) => askedAt <= to && answeredAt >= from),
    )
    const longest = Math.max(...gaps.map(({ from, to }) => to - from))
    return [
      {
        claim: 'it serves again within 3 s',
        seen: `longest ${seconds(longest)} of ${gaps.length}`,
        holds: longest < 3_000,
      },
      {
        claim: 'who tries again sees nothing wrong: all that fails is asked while there is no edge',
        seen: `${summary(answers)}; ${strays.length} of them at another time`,
        holds:
          strays.length === 0 && answers.some(({ askedAt }) => askedAt > (gaps.at(-1)?.to ?? 0)),
      },
      nothingWrong(answers),
    ]
  },
}
