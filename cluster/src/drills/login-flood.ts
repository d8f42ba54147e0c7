import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Cluster } from '../cluster.ts'
import { type Person, register } from './client.ts'
import { type Drill, percentile, residentMb, scaled } from './drill.ts'
import type { FloodOrder, FloodReport } from './flood.ts'
import { giveAuthItsOwn, pinningObstacle } from './processors.ts'
import { type Answer, failuresOf, startTraffic, summary } from './traffic.ts'

/** The service's own defaults. */
const argon2 = { memoryKib: 65_536, passes: 3 }
/** One for each processor that the service gets. */
const instances = Math.max(1, Math.floor(availableParallelism() / 2))
const timesCapacity = 10
/** Odd, for the one in the middle. */
const rounds = 3
/** Resident memory an auth instance may reach, in MB: 120 at rest, its queue, and a hash on each of three threads. */
const maxResidentMb = 330
/** Whose refreshes are watched: one client, ten times a second, as they take the same processors. */
const watched = { refresh: 1 }

/** Ten times as many logins as there are processors for. */
export const loginFlood: Drill = {
  name: 'login-flood',
  what: 'ten times as many logins as bare argon2 could check, on the same processors in the same run',
  instances,
  env: {
    LATCHKEY_REGISTER_LIMIT: '1000000',
    LATCHKEY_LOGIN_LIMIT: '1000000',
    LATCHKEY_ARGON2_MEMORY_KIB: String(argon2.memoryKib),
    LATCHKEY_ARGON2_PASSES: String(argon2.passes),
  },
  obstacle: pinningObstacle,
  async run({ cluster, scale, progress }) {
    const people: Person[] = []
    for (let n = 0; n < 100; n += 1) people.push(await register(cluster.url))
    const { processors, undo } = await giveAuthItsOwn(cluster)
    try {
      const refreshing = await startTraffic(cluster.url, watched)
      const bareMs = Math.max(2_000, 5_000 * scale)
      const milliseconds = scaled(15_000, scale)
      progress(1, rounds + 2, 'warming up')
      let before = await bareHashes(processors, bareMs)
      const perSecond = Math.round(before * timesCapacity)
      // Code that has just been loaded is not compiled yet; a service runs for weeks.
      await flood({ url: cluster.url, people, perSecond: 5 * perSecond, milliseconds })
      progress(2, rounds + 2, 'quiet')
      const quiet = await during(refreshing.answers, () => sleep(40_000 * scale))
      await refreshing.stop()

      const report: FloodReport = {}
      const flooded: Answer[] = []
      const speeds: { accepted: number; bare: number; share: number }[] = []
      let residentMb = 0
      for (let round = 0; round < rounds; round += 1) {
        progress(round + 3, rounds + 2, 'flood')
        const underFlood = await startTraffic(cluster.url, watched)
        const watching = setInterval(() => {
          residentMb = Math.max(residentMb, ...authResidentMb(cluster))
        }, 200)
        let seen: FloodReport = {}
        const answers = await during(underFlood.answers, async () => {
          seen = await flood({ url: cluster.url, people, perSecond, milliseconds })
        })
        clearInterval(watching)
        await underFlood.stop()
        flooded.push(...answers)
        for (const [what, count] of Object.entries(seen)) report[what] = (report[what] ?? 0) + count
        const after = await bareHashes(processors, bareMs)
        const accepted = ((seen['200'] ?? 0) / milliseconds) * 1_000
        const bare = (before + after) / 2
        speeds.push({ accepted, bare, share: accepted / bare })
        before = after
      }
      const { accepted, bare, share } = speeds.sort((one, other) => one.share - other.share)[
        rounds >> 1
      ] as (typeof speeds)[number]
      const [p99Quiet, p99Flooded] = [quiet, flooded].map((answers) =>
        percentile(
          answers.map(({ askedAt, answeredAt }) => answeredAt - askedAt),
          0.99,
        ),
      ) as [number, number]
      const odd = Object.entries(report).filter(
        ([what]) => !['200', '503 with Retry-After', 'not sent'].includes(what),
      )
      return [
        {
          claim: 'refresh: 99th percentile within 2 × of its quiet value, and none fails',
          seen: `quiet ${p99Quiet.toFixed(1)} ms, flooded ${p99Flooded.toFixed(1)} ms; failed: ${summary(flooded)}`,
          holds: p99Flooded <= 2 * p99Quiet && failuresOf(flooded).length === 0,
        },
        {
          claim: 'accepted logins at no less than 90 % of bare argon2',
          seen: `${accepted.toFixed(1)} of ${bare.toFixed(1)} a second (${(share * 100).toFixed(0)} %, the median of ${rounds}) on processor ${processors}; ${perSecond} a second wanted`,
          holds: share >= 0.9,
        },
        {
          claim: 'all others are answered 503 with Retry-After',
          seen: Object.entries(report)
            .map(([what, count]) => `${count} × ${what}`)
            .join(', '),
          holds: odd.length === 0 && (report['503 with Retry-After'] ?? 0) > 0,
        },
        {
          claim: `memory of an auth instance stays under ${maxResidentMb} MB`,
          seen: `${residentMb.toFixed(0)} MB at most`,
          holds: residentMb > 0 && residentMb < maxResidentMb,
        },
      ]
    } finally {
      undo()
    }
  },
}

/** The answers that come while something is done. */
async function during(answers: readonly Answer[], work: () => Promise<unknown>) {
  const from = answers.length
  await work()
  return answers.slice(from)
}

/** @returns hashes a second of as many processes as there are instances */
async function bareHashes(processors: string, milliseconds: number): Promise<number> {
  const script = fileURLToPath(import.meta.resolve('./bare-argon2.ts'))
  const args = [script, milliseconds, argon2.memoryKib, argon2.passes].map(String)
  const counts = await Promise.all(
    Array.from({ length: instances }, async () => {
      const command = ['-c', processors, process.execPath, ...args]
      return Number((await promisify(execFile)('taskset', command)).stdout)
    }),
  )
  return counts.reduce((sum, count) => sum + count, 0) / (milliseconds / 1_000)
}

async function flood(order: FloodOrder): Promise<FloodReport> {
  const child = fork(fileURLToPath(import.meta.resolve('./flood.ts')))
  child.send(order)
  const [report] = await once(child, 'message')
  return report as FloodReport
}

const authResidentMb = ({ instances: all, pid }: Cluster): number[] =>
  all.filter(({ service }) => service === 'auth').map(({ name }) => residentMb(pid(name)))
