import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'
import { send } from '@latchkey/test-kit/client'
import { type Finding, formatSeconds, pairOf } from './drill.ts'
import { nobodySignedOut } from './findings.ts'
import { outageDrill } from './outage.ts'

const recoveryMs = 5_000
/** Answers of `/readyz` and `/metrics`. */
const askTimeoutMs = 5_000

/** A proxy that leads to a standby for a while, and then leaves connections on it. */
export const primaryReturns = outageDrill({
  name: 'primary-returns',
  description: 'after a failover, the proxy leads to the old primary, now a standby, for 20 s',
  pair: { isSynchronous: false },
  async disturb(context, answers) {
    const { cluster, scale, progress } = context
    const pair = pairOf(context)
    await pair.primary.kill()
    await pair.promote()
    pair.proxy.switchTo(pair.primary.port)
    await untilReady(cluster)
    await pair.standby.follow(pair.primary)
    progress(1, 2, 'the proxy leads to the standby')
    pair.proxy.switchTo(pair.standby.port)
    const from = performance.now()
    await sleep(20_000 * scale)
    const readiness = await askReadiness(cluster)
    const asked = performance.now()
    const ages = await readAges(cluster)
    pair.proxy.switchTo(pair.primary.port, { keep: true })
    const back = performance.now()
    progress(2, 2, 'the proxy leads to the primary; connections stay')
    await untilReady(cluster)
    const findings = [
      neverReady(readiness),
      nothingFresh(ages, (asked - from) / 1_000),
      readyAgain(performance.now() - back),
      nobodySignedOut(answers),
    ]
    return { unavailable: { from, to: back }, back, recoveryMs, findings }
  },
})

/** The status of `/readyz` of every instance. */
async function askReadiness({ instances }: Cluster): Promise<number[]> {
  const asked = instances.map(async ({ url }) => {
    return (await send(`${url}/readyz`, { timeoutMs: askTimeoutMs })).status
  })
  return Promise.all(asked)
}

async function untilReady(cluster: Cluster): Promise<void> {
  const deadline = performance.now() + 60_000
  while ((await askReadiness(cluster)).some((status) => status !== 200)) {
    if (performance.now() > deadline) throw new Error('The services did not become ready.')
    await sleep(20)
  }
}

/** For how many seconds each verifier has known that it may lack revocations. */
async function readAges({ instances }: Cluster): Promise<number[]> {
  const verifiers = instances.filter(({ service }) => service !== 'auth')
  const asked = verifiers.map(async ({ url }) => {
    const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(askTimeoutMs) })
    const [, age] = /^latchkey_revocation_age_seconds.* (\S+)$/m.exec(await response.text()) ?? []
    return Number(age)
  })
  return Promise.all(asked)
}

const neverReady = (statuses: readonly number[]): Finding => ({
  claim: 'no instance is ready while its server is read-only',
  seen: statuses.join(', '),
  holds: statuses.length > 0 && statuses.every((status) => status === 503),
})

const nothingFresh = (ages: readonly number[], seconds: number): Finding => ({
  claim: 'no verifier treats the answers of the standby as the latest revocations',
  seen: `ages after ${seconds.toFixed(1)} s: ${ages.map((age) => `${age.toFixed(1)} s`).join(', ')}`,
  holds: ages.length > 0 && ages.every((age) => age >= seconds),
})

const readyAgain = (ms: number): Finding => ({
  claim: `every instance is ready within ${formatSeconds(recoveryMs)} after the proxy is right`,
  seen: formatSeconds(ms),
  holds: ms < recoveryMs,
})
