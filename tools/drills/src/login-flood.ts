import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Cluster } from '@latchkey/cluster/cluster'
import { type Person, register } from '@latchkey/test-kit/client'
import { type Drill, type Finding, percentile, residentMb, scaled } from './drill.ts'
import type { FloodOrder, FloodReport } from './flood.ts'
import { giveAuthItsOwn, pinningObstacle } from './processors.ts'
import { type Answer, failuresOf, startTraffic, summary } from './traffic.ts'

/** The service's own defaults. */
const argon2 = { memoryKib: 65_536, passes: 3 }
/** One for each processor that the service gets. */
const instances = Math.max(1, Math.floor(availableParallelism() / 2))
const timesCapacity = 10
/** The queue takes 64: where hashes are slow, ten times as many might not fill it. */
const leastPerSecond = 150
/** Odd, for the one in the middle. */
const fullRounds = 5
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
    LATCHKEY_LOGIN_LIMIT: '1000000',
    LATCHKEY_ARGON2_MEMORY_KIB: String(argon2.memoryKib),
    LATCHKEY_ARGON2_PASSES: String(argon2.passes),
  },
  obstacle: pinningObstacle,
  async run({ cluster, scale, progress }) {
    const people: Person[] = []
    for (let n = 0; n < scaled(100, scale); n += 1) people.push(await register(cluster.url))
    const { processors, undo } = await giveAuthItsOwn(cluster)
    try {
      const rounds = scaled(fullRounds, scale)
      progress(1, rounds + 2, 'warming up')
      const milliseconds = scaled(15_000, scale)
      const measureBare = () => bareHashes(processors, Math.max(500, 5_000 * scale))
      let before = await measureBare()
      const perSecond = Math.max(leastPerSecond, Math.round(before * timesCapacity))
      const order = { url: cluster.url, people, perSecond, milliseconds }
      // Code that has just been loaded is not compiled yet; a service runs for weeks.
      await flood({ ...order, perSecond: 5 * perSecond })
      progress(2, rounds + 2, 'quiet')
      const watching = await startTraffic(cluster.url, watched)
      await sleep(40_000 * scale)
      await watching.stop()

      const played: Round[] = []
      for (let n = 1; n <= rounds; n += 1) {
        progress(n + 2, rounds + 2, 'flood')
        const flooded = await playRound(cluster, order)
        const after = await measureBare()
        played.push({ ...flooded, bare: (before + after) / 2 })
        before = after
      }
      return judge(
        watching.answers,
        played,
        `processor ${processors}; ${perSecond} a second wanted`,
      )
    } finally {
      undo()
    }
  },
}

/** What one flood did. */
interface Round {
  /** Logins that were answered 200, a second. */
  readonly accepted: number
  /** Hashes a second without a service, before and after. */
  readonly bare: number
  readonly report: FloodReport
  /** Of the client that refreshes meanwhile. */
  readonly answers: readonly Answer[]
  /** The most that an auth instance took. */
  readonly residentMb: number
}

async function playRound(cluster: Cluster, order: FloodOrder): Promise<Omit<Round, 'bare'>> {
  const auth = cluster.instances.filter(({ service }) => service === 'auth')
  let highest = 0
  const looking = setInterval(() => {
    highest = Math.max(highest, ...auth.map(({ name }) => residentMb(cluster.pid(name))))
  }, 200)
  const { answers, stop } = await startTraffic(cluster.url, watched)
  const report = await flood(order)
  clearInterval(looking)
  await stop()
  const accepted = ((report['200'] ?? 0) / order.milliseconds) * 1_000
  return { accepted, report, answers, residentMb: highest }
}

function judge(quiet: readonly Answer[], played: readonly Round[], where: string): Finding[] {
  const flooded = played.flatMap(({ answers }) => answers)
  const [p99Quiet, p99Flooded] = [p99(quiet), p99(flooded)]
  const shareOf = ({ accepted, bare }: Round) => accepted / bare
  const middle = played.toSorted((one, other) => shareOf(one) - shareOf(other))[
    played.length >> 1
  ] as Round
  const report: FloodReport = {}
  for (const [what, count] of played.flatMap((round) => Object.entries(round.report)))
    report[what] = (report[what] ?? 0) + count
  const { '200': _, 'not sent': __, '503 with Retry-After': refused = 0, ...odd } = report
  const mb = Math.max(...played.map((round) => round.residentMb))
  return [
    {
      claim: 'refresh: 99th percentile within 2 × of its quiet value',
      seen: `quiet ${p99Quiet.toFixed(1)} ms, flooded ${p99Flooded.toFixed(1)} ms`,
      holds: p99Flooded <= 2 * p99Quiet,
      needsQuiet: true,
    },
    {
      claim: 'no refresh fails',
      seen: summary(flooded),
      holds: flooded.length > 0 && failuresOf(flooded).length === 0,
    },
    {
      claim: 'accepted logins at no less than 90 % of bare argon2',
      seen: `${middle.accepted.toFixed(1)} of ${middle.bare.toFixed(1)} a second (${(shareOf(middle) * 100).toFixed(0)} %, the median of ${played.length}) on ${where}`,
      holds: shareOf(middle) >= 0.9,
      needsQuiet: true,
    },
    {
      claim: 'all others are answered 503 with Retry-After',
      seen: Object.entries(report)
        .map(([what, count]) => `${count} × ${what}`)
        .join(', '),
      holds: Object.keys(odd).length === 0 && refused > 0,
    },
    {
      claim: `memory of an auth instance stays under ${maxResidentMb} MB`,
      seen: `${mb.toFixed(0)} MB at most`,
      holds: mb > 0 && mb < maxResidentMb,
    },
  ]
}

const p99 = (answers: readonly Answer[]): number =>
  percentile(
    answers.map(({ askedAt, answeredAt }) => answeredAt - askedAt),
    0.99,
  )

/** @returns hashes a second of as many processes as there are instances */
async function bareHashes(processors: string, milliseconds: number): Promise<number> {
  const script = fileURLToPath(import.meta.resolve('./bare-argon2.ts'))
  const args = [script, milliseconds, argon2.memoryKib, argon2.passes].map(String)
  const speeds = await Promise.all(
    Array.from({ length: instances }, async () => {
      const command = ['-c', processors, process.execPath, ...args]
      return Number((await promisify(execFile)('taskset', command)).stdout)
    }),
  )
  return speeds.reduce((sum, speed) => sum + speed, 0)
}

async function flood(order: FloodOrder): Promise<FloodReport> {
  const child = fork(fileURLToPath(import.meta.resolve('./flood.ts')))
  child.send(order)
  const [report] = await once(child, 'message')
  return report as FloodReport
}
