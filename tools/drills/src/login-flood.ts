import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'
import { type Person, register } from '@latchkey/test-kit/client'
import { countValues } from '@latchkey/test-kit/load'
import { execa, execaNode } from 'execa'
import { type Drill, type Finding, percentile, repeat, residentMb, scaled } from './drill.ts'
import { formatCounts, noneFails } from './findings.ts'
import type { FloodOrder, FloodResults } from './flood.ts'
import { pinAuth, pinningObstacle } from './processors.ts'
import { maxResidentMb } from './resident-memory.ts'
import { type Answer, underTraffic } from './traffic.ts'

/** The auth service's defaults. */
const argon2 = { memoryKib: 65_536, passes: 3 }
/** One for each processor of the auth service. */
const instances = Math.max(1, availableParallelism() >> 1)
const timesCapacity = 10
/** Fills the queue of 64 within a second also where hashes are slow. */
const minPerSecond = 100
const minAcceptedShare = 0.8
/** Of a refresh. Its quiet value, 10 to 32 ms, varies too much between runs to compare with. */
const maxRefreshMs = 100
/** One client that refreshes; more would compete for the same processors. */
const watched = { refresh: 1 }

export const loginFlood: Drill = {
  name: 'login-flood',
  description: 'ten times as many logins as bare argon2 can check on the same processors',
  instances,
  env: {
    LATCHKEY_LOGIN_LIMIT: '1000000',
    LATCHKEY_ARGON2_MEMORY_KIB: String(argon2.memoryKib),
    LATCHKEY_ARGON2_PASSES: String(argon2.passes),
  },
  obstacle: pinningObstacle,
  async run(context) {
    const { cluster, scale, progress } = context
    const { url } = cluster
    const people: Person[] = []
    await repeat(context, 100, 'users', async () => people.push(await register(url)))
    const { processors, undo } = await pinAuth(cluster)
    try {
      progress(0, 1, 'warm-up')
      const measureBare = () => bareHashesPerSecond(processors, Math.max(500, 5_000 * scale))
      let before = await measureBare()
      const perSecond = Math.max(minPerSecond, Math.round(before * timesCapacity))
      const order = { url, people, perSecond, milliseconds: scaled(15_000, scale) }
      // So that the code is compiled, as it is in a service that has run for a while.
      await flood({ ...order, perSecond: 5 * perSecond })
      const quiet = await underTraffic(url, watched, () => sleep(40_000 * scale))
      const rounds: Round[] = []
      await repeat(context, 5, 'floods', async () => {
        const round = await runRound(cluster, order)
        const after = await measureBare()
        rounds.push({ ...round, bare: (before + after) / 2 })
        before = after
      })
      const setting = `on processor ${processors}; ${perSecond} sent per second`
      return judge(quiet.answers, rounds, setting)
    } finally {
      await undo()
    }
  },
}

/** One flood, with the hashes per second that the same processors check without a service. */
type Round = Awaited<ReturnType<typeof runRound>> & { readonly bare: number }

async function runRound({ instances, pid, url }: Cluster, order: FloodOrder) {
  const auth = instances.filter(({ service }) => service === 'auth')
  let maxMb = 0
  const sampling = setInterval(() => {
    maxMb = Math.max(maxMb, ...auth.map(({ name }) => residentMb(pid(name))))
  }, 200)
  const flooding = underTraffic(url, watched, () => flood(order))
  const { answers, result: results } = await flooding.finally(() => clearInterval(sampling))
  const accepted = results.filter((each) => each === '200').length / (order.milliseconds / 1_000)
  return { accepted, results, answers, maxMb }
}

function judge(quiet: readonly Answer[], rounds: readonly Round[], setting: string): Finding[] {
  const flooded = rounds.flatMap(({ answers }) => answers)
  const [quietMs, floodedMs] = [p99(quiet), p99(flooded)]
  const share = ({ accepted, bare }: Round) => accepted / bare
  const sorted = rounds.toSorted((a, b) => share(a) - share(b))
  const median = sorted[rounds.length >> 1] as Round
  const counts = countValues(rounds.flatMap(({ results }) => results))
  const { '200': _, 'not sent': __, '503 with Retry-After': refused = 0, ...others } = counts
  const mb = Math.max(...rounds.map(({ maxMb }) => maxMb))
  const percent = (value: number) => `${(value * 100).toFixed(0)} %`
  return [
    {
      claim: `the 99th percentile of a refresh stays under ${maxRefreshMs} ms`,
      seen: `quiet ${quietMs.toFixed(1)} ms, flooded ${floodedMs.toFixed(1)} ms`,
      holds: floodedMs < maxRefreshMs,
      needsQuiet: true,
    },
    noneFails('no refresh fails', flooded),
    {
      claim: `accepted logins reach ${percent(minAcceptedShare)} of bare argon2`,
      seen: `${median.accepted.toFixed(1)} of ${median.bare.toFixed(1)} per second (${percent(share(median))}, median of ${rounds.length}) ${setting}`,
      holds: share(median) >= minAcceptedShare,
      needsQuiet: true,
    },
    {
      claim: 'every other login is answered 503 with Retry-After',
      seen: formatCounts(counts),
      holds: Object.keys(others).length === 0 && refused > 0,
    },
    {
      claim: `an auth instance stays under ${maxResidentMb.hashing} MB`,
      seen: `at most ${mb.toFixed(0)} MB`,
      holds: mb > 0 && mb < maxResidentMb.hashing,
    },
  ]
}

function p99(answers: readonly Answer[]): number {
  const latencies = answers.map(({ askedAt, answeredAt }) => answeredAt - askedAt)
  return percentile(latencies, 0.99)
}

/** Measures with as many processes as there are auth instances. */
async function bareHashesPerSecond(processors: string, milliseconds: number): Promise<number> {
  const script = join(import.meta.dirname, 'bare-argon2.ts')
  const args = [script, milliseconds, argon2.memoryKib, argon2.passes].map(String)
  const measure = () => execa('taskset', ['-c', processors, process.execPath, ...args])
  const outputs = await Promise.all(Array.from({ length: instances }, measure))
  return outputs.reduce((sum, { stdout }) => sum + Number(stdout), 0)
}

async function flood(order: FloodOrder): Promise<FloodResults> {
  const child = execaNode(join(import.meta.dirname, 'flood.ts'), { ipcInput: order })
  const [results] = await Promise.all([child.getOneMessage(), child])
  return results as FloodResults
}
