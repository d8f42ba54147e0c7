import { setTimeout as sleep } from 'node:timers/promises'
import { type Context, type Drill, type Finding, formatSeconds, pidsOf } from './drill.ts'
import {
  failuresOf,
  noneFails,
  noneWrong,
  noRestart,
  ofAction,
  type Period,
  summarize,
} from './findings.ts'
import { type Answer, type Clients, underTraffic } from './traffic.ts'

/**
 * The longest that an instance waits for Postgres: 2 s for a connection and 5 s for a statement,
 * as service-kit sets up its pool. A frozen server makes it wait that long; a stopped one refuses.
 */
const databaseTimeoutMs = 2_000 + 5_000
/** How long recovery may take once Postgres is available, unless a drill allows more. */
const defaultRecoveryMs = 2_000

/** How Postgres was disturbed. */
interface Outage {
  /** When it was unavailable. Absent if a login may succeed: restarts, for example, can be short. */
  readonly unavailable?: Period
  /** When it became available again. */
  readonly back: number
  /** How long recovery may take then; 2 s by default. */
  readonly recoveryMs?: number
  readonly findings?: readonly Finding[]
}

/** A drill that disturbs Postgres under load and checks the claims of every such outage. */
export const outageDrill = ({
  disturb,
  clients = { whoami: 6, orders: 2, login: 2, refresh: 2 },
  ...drill
}: Omit<Drill, 'run'> & {
  disturb(context: Context, answers: readonly Answer[]): Promise<Outage>
  clients?: Clients
}): Drill => ({
  ...drill,
  async run(context) {
    const { cluster } = context
    const pids = pidsOf(cluster)
    const { answers, result } = await underTraffic(cluster.url, clients, async (answers) => {
      await sleep(1_000)
      const outage = await disturb(context, answers)
      await sleep((outage.recoveryMs ?? defaultRecoveryMs) + 1_000)
      return outage
    })
    const { unavailable, back, recoveryMs, findings = [] } = result
    return [
      ...findings,
      ...judgeAnswers(answers),
      ...(unavailable ? [loginsFailed(answers, unavailable)] : []),
      recovered(answers, back, recoveryMs),
      noneWrong(answers),
      noRestart(cluster, pids),
    ]
  },
})

/** Checks what has to hold while Postgres is unavailable. */
export function judgeAnswers(answers: readonly Answer[]): Finding[] {
  const others = failuresOf(answers).filter(({ action }) => action !== 'whoami')
  const honest = others.filter(({ status, retryAfter }) => status === 503 && retryAfter !== null)
  const longest = Math.max(0, ...answers.map(({ askedAt, answeredAt }) => answeredAt - askedAt))
  return [
    noneFails('no verification fails', ofAction('whoami', answers)),
    {
      claim: 'a request that needs Postgres fails with 503 and Retry-After',
      seen: `${honest.length} of ${others.length} failures`,
      holds: honest.length === others.length,
    },
    {
      claim: `every answer arrives within ${formatSeconds(databaseTimeoutMs)}`,
      seen: `longest ${formatSeconds(longest)}`,
      holds: longest < databaseTimeoutMs + 500,
    },
  ]
}

/** Checks that Postgres was unavailable at all: a login needs it. */
export function loginsFailed(answers: readonly Answer[], { from, to }: Period): Finding {
  const logins = ofAction('login', answers).filter(({ askedAt }) => askedAt > from && askedAt < to)
  const claim = 'logins fail while Postgres is unavailable'
  return { claim, seen: summarize(logins), holds: failuresOf(logins).length > 0 }
}

/** Checks that everything works soon after Postgres is back. */
export function recovered(
  answers: readonly Answer[],
  back: number,
  recoveryMs = defaultRecoveryMs,
): Finding {
  const delays = failuresOf(answers).map(({ answeredAt }) => answeredAt - back)
  const last = Math.max(0, ...delays)
  const after = answers.filter(({ askedAt }) => askedAt > back + recoveryMs)
  return {
    claim: `everything works ${formatSeconds(recoveryMs)} after Postgres is back`,
    seen: `last failure after ${formatSeconds(last)}; then ${summarize(after)}`,
    holds: last < recoveryMs && after.some(({ action }) => action === 'login'),
  }
}
