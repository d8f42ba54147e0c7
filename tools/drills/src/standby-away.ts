import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'
import { login, logout, register, send } from '@latchkey/test-kit/client'
import { countValues, startLoad } from '@latchkey/test-kit/load'
import { type Finding, formatSeconds, pairOf, percentile } from './drill.ts'
import { formatCounts, nobodySignedOut, ofAction, type Period } from './findings.ts'
import { authDatabase } from './lost-writes.ts'
import { outageDrill } from './outage.ts'
import type { PostgresPair } from './postgres-pair.ts'
import type { Answer } from './traffic.ts'

/** Shorter than this, a wait for the standby is not yet given up. */
const minFrozenMs = 10_000
/** Sessions that their clients try to end meanwhile, each by a request after another. */
const leaving = 12
/** Half of the ten connections of each instance of auth may wait for the standby. */
const maxWaiting = 2 * 5
/** Writes that wait for the standby may be refused for 5 s after the last failure. */
const recoveryMs = 7_000

/** No standby confirms commits, so nothing that must be durable may be acknowledged. */
export const standbyAway = outageDrill({
  name: 'standby-away',
  description: 'the only synchronous standby frozen (SIGSTOP) for 30 s, under load',
  pair: { isSynchronous: true },
  clients: { whoami: 6, orders: 2, login: 4, refresh: 6 },
  async disturb(context, answers) {
    const { cluster, scale, progress } = context
    const pair = pairOf(context)
    const sessions = await Promise.all(
      Array.from({ length: leaving }, async () => login(cluster.url, await register(cluster.url))),
    )
    const quiet = { from: performance.now(), to: 0 }
    await sleep(10_000 * Math.max(0.3, scale))
    pair.standby.freeze()
    const frozen = { from: performance.now(), to: 0 }
    quiet.to = frozen.from
    progress(1, 2, 'the standby is frozen')
    const leave = sessions.map(({ access_token: token }) => async () => {
      return send(`${cluster.url}/auth/v1/logout`, { method: 'POST', token })
    })
    const logouts = startLoad(leave, { pauseMs: 100 })
    const waiting = await countWaiting(
      pair,
      cluster,
      Math.max(minFrozenMs, 30_000 * scale),
    ).finally(() => {
      frozen.to = performance.now()
      pair.standby.thaw()
    })
    const early = logouts.answers.filter(({ answeredAt }) => answeredAt < frozen.to)
    progress(2, 2, 'the standby continues')
    await logouts.stop()
    for (const { access_token: token } of sessions) await logout(cluster.url, token)
    const refreshed = await Promise.all(
      sessions.map(({ refresh_token }) =>
        send(`${cluster.url}/auth/v1/refresh`, { body: { refresh_token } }),
      ),
    )
    const findings = [
      refreshesAsFast(answers, quiet, frozen),
      logoutsUnconfirmed(early.map(({ status }) => status)),
      logoutsTrue(refreshed.map(({ status }) => status)),
      waitingBounded(waiting),
      nobodySignedOut(answers),
    ]
    return { back: frozen.to, recoveryMs, findings }
  },
})

/** Counts the connections of auth that wait for the standby, again and again. */
async function countWaiting(
  { primary }: PostgresPair,
  cluster: Cluster,
  milliseconds: number,
): Promise<number[]> {
  const text = `
    SELECT count(*)::int AS n FROM pg_stat_activity
     WHERE wait_event = 'SyncRep' AND datname = $1`
  const counts: number[] = []
  const end = performance.now() + milliseconds
  while (performance.now() < end) {
    counts.push((await primary.query(text, [authDatabase(cluster)]))[0].n)
    await sleep(200)
  }
  return counts
}

function refreshesAsFast(answers: readonly Answer[], quiet: Period, frozen: Period): Finding {
  const [before, meanwhile] = [quiet, frozen].map(({ from, to }) =>
    ofAction('refresh', answers)
      .filter(({ askedAt }) => askedAt > from && askedAt < to)
      .map(({ askedAt, answeredAt }) => answeredAt - askedAt),
  ) as [number[], number[]]
  const [p99Before, p99] = [percentile(before, 0.99), percentile(meanwhile, 0.99)]
  return {
    claim: 'the 99th percentile of refreshes is at most twice that with the standby',
    seen: `${formatSeconds(p99Before)}, then ${formatSeconds(p99)}, of ${meanwhile.length} refreshes`,
    holds: p99 <= 2 * p99Before,
    needsQuiet: true,
  }
}

const logoutsUnconfirmed = (statuses: readonly number[]): Finding => ({
  claim: 'no logout is acknowledged while the standby is frozen, whatever is repeated',
  seen: formatCounts(countValues(statuses)),
  holds: statuses.length > 0 && statuses.every((status) => status === 503),
})

const logoutsTrue = (statuses: readonly number[]): Finding => ({
  claim: 'once a logout is acknowledged, the session cannot be refreshed',
  seen: formatCounts(countValues(statuses)),
  holds: statuses.length === leaving && statuses.every((status) => status === 401),
})

const waitingBounded = (counts: readonly number[]): Finding => ({
  claim: `at most ${maxWaiting} connections of auth wait for the standby, and refreshes get the others`,
  seen: `at most ${Math.max(...counts)}, median ${percentile(counts, 0.5)}`,
  holds: Math.max(...counts) <= maxWaiting,
})
