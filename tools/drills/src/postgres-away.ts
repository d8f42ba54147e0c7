import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Drill,
  type Finding,
  killAndAwait,
  noRestart,
  pidsOf,
  type Stage,
  scaled,
  seconds,
} from './drill.ts'
import { type Answer, failuresOf, nothingWrong, startTraffic, summary } from './traffic.ts'

/** A server that is gone answers at once, a frozen one never: then a statement's time-out ends the wait. */
const statementTimeoutMs = 5_000
/** Waiting for a connection comes on top (service-kit/src/database.ts). */
const connectionTimeoutMs = 2_000
/** Until everything has to work again. */
const recoveryMs = 2_000
const awayMs = 20_000

/** Nobody can be looked up for 20 s. Verification needs nobody looked up. */
export const postgresAway: Drill = {
  name: 'postgres-away',
  what: 'Postgres stopped for 20 s under load',
  instances: 2,
  run: (stage) =>
    playOutage(stage, async ({ cluster, scale }) => {
      await cluster.stopProcess('postgres')
      const from = performance.now()
      await sleep(awayMs * scale)
      const to = performance.now()
      await cluster.startProcess('postgres')
      return { away: [from, to], back: performance.now() }
    }),
}

/** The server stands still: sockets stay open, nothing answers. */
export const postgresFrozen: Drill = {
  name: 'postgres-frozen',
  what: 'Postgres and all its sessions frozen (SIGSTOP) for 20 s under load',
  instances: 2,
  run: (stage) =>
    playOutage(stage, async ({ cluster, scale }) => {
      cluster.freeze('postgres')
      const from = performance.now()
      // Shorter than a statement's time-out it would be no more than slow.
      await sleep(Math.max(8_000, awayMs * scale))
      const to = performance.now()
      cluster.thaw('postgres')
      return { away: [from, to], back: to }
    }),
}

/** Stopped in order and started at once, as for a minor version. */
export const postgresRestarted: Drill = {
  name: 'postgres-restarted',
  what: 'Postgres restarted five times under load, once of them killed',
  instances: 2,
  run: (stage) =>
    playOutage(stage, async ({ cluster, scale, progress }) => {
      const total = scaled(5, scale)
      for (let n = 1; n <= total; n += 1) {
        // A crash: it recovers from its log.
        if (n === total) await killAndAwait(cluster, 'postgres', 'SIGQUIT')
        else await cluster.restart('postgres')
        progress(n, total, 'restarts')
        if (n < total) await sleep(2_000)
      }
      return { back: performance.now() }
    }),
}

/** What a trouble with Postgres did. */
interface Outage {
  /** When nobody was served; not told of a restart, which may be over before anybody has missed it. */
  readonly away?: readonly [from: number, to: number]
  /** From when on all has to work again, within `recoveryMs`. */
  readonly back: number
  readonly findings?: readonly Finding[]
}

/** Makes trouble with Postgres under load, and says what has to hold whatever the trouble was. */
export async function playOutage(
  stage: Stage,
  trouble: (stage: Stage, answers: readonly Answer[]) => Promise<Outage>,
  load: Parameters<typeof startTraffic>[1] = { whoami: 6, orders: 2, login: 2, refresh: 2 },
): Promise<Finding[]> {
  const { cluster } = stage
  const pids = pidsOf(cluster)
  const { answers, stop } = await startTraffic(cluster.url, load)
  await sleep(1_000)
  const { away, back, findings = [] } = await trouble(stage, answers)
  await sleep(recoveryMs + 1_000)
  await stop()
  return [
    ...findings,
    ...whileAway(answers),
    ...(away ? [missed(answers, ...away)] : []),
    recovered(answers, back),
    nothingWrong(answers),
    noRestart(cluster, pids),
  ]
}

/** What has to hold while Postgres does not serve. */
export function whileAway(answers: readonly Answer[]): Finding[] {
  const verifications = answers.filter(({ deed }) => deed === 'whoami')
  const others = failuresOf(answers).filter(({ deed }) => deed !== 'whoami')
  const honest = others.filter(({ status, retryAfter }) => status === 503 && retryAfter !== null)
  const longest = Math.max(0, ...answers.map(({ askedAt, answeredAt }) => answeredAt - askedAt))
  const bound = statementTimeoutMs + connectionTimeoutMs
  return [
    {
      claim: 'no verification fails',
      seen: summary(verifications),
      holds: verifications.length > 0 && failuresOf(verifications).length === 0,
    },
    {
      claim: 'what needs Postgres is answered 503 with Retry-After',
      seen: `${honest.length} of ${others.length} failures`,
      holds: honest.length === others.length,
    },
    {
      claim: `nothing hangs: every answer within ${seconds(bound)}`,
      seen: `longest ${seconds(longest)}`,
      holds: longest < bound + 500,
    },
  ]
}

/** That Postgres was away at all: a login cannot do without it. */
export function missed(answers: readonly Answer[], from: number, to: number): Finding {
  const asked = answers.filter(
    ({ deed, askedAt }) => deed === 'login' && askedAt > from && askedAt < to,
  )
  return {
    claim: 'logins fail meanwhile',
    seen: summary(asked),
    holds: failuresOf(asked).length > 0,
  }
}

/** That everything works soon after Postgres is back. */
export function recovered(answers: readonly Answer[], back: number): Finding {
  const late = failuresOf(answers).filter(({ answeredAt }) => answeredAt > back)
  const last = Math.max(0, ...late.map(({ answeredAt }) => answeredAt - back))
  const after = answers.filter(({ askedAt }) => askedAt > back + recoveryMs)
  return {
    claim: 'recovered within 2 s of its return',
    seen: `last failure ${seconds(last)} after; then ${summary(after)}`,
    holds: last < recoveryMs && after.some(({ deed }) => deed === 'login'),
  }
}
