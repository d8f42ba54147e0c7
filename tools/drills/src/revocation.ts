import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'
import { login, logout, type Person, register, send } from '@latchkey/test-kit/client'
import { type Drill, type Finding, percentile, type Stage, scaled, seconds } from './drill.ts'
import { describeFailures, startLoad } from './load.ts'

const logouts = 200
/** Logouts under way at once. */
const parallel = 8
/** How often each instance is asked whether it still takes the token, in milliseconds. */
const askEveryMs = 50
/** Longer than this an instance has missed the revocation, in milliseconds: three times the outage. */
const lostAfterMs = 60_000
/** How long Postgres is away, in milliseconds. */
const outageMs = 20_000

/** From a logout's reply until every instance refuses the token. */
export const revocation: Drill = {
  name: 'revocation',
  what: '200 logouts under a steady load; each timed until every instance refuses the token',
  instances: 3,
  run: (stage) =>
    play(
      stage,
      'until every instance refuses the token, 99th percentile under 2 s',
      (delays) => percentile(delays, 0.99) < 2_000,
    ),
}

/** The same, while an auth instance dies again and again and Postgres is away for 20 s. */
export const revocationInTrouble: Drill = {
  name: 'revocation-in-trouble',
  what: 'the same while auth-2 is killed every 2 s, then while Postgres is stopped for 20 s',
  instances: 3,
  run: (stage) =>
    // What is acknowledged in the instant before Postgres goes is heard of when it is back.
    play(
      stage,
      'every instance refuses the token, 5 s after the outage at the latest',
      (delays) => Math.max(...delays) < outageMs + 5_000,
      async (ended) => {
        const { cluster, scale } = stage
        for (let i = 0; i < scaled(10, scale) && !ended(); i += 1) {
          cluster.kill('auth-2')
          await sleep(2_000)
        }
        await cluster.stopProcess('postgres')
        await sleep(outageMs * Math.min(1, scale * 2))
        await cluster.startProcess('postgres')
      },
    ),
}

async function play(
  stage: Stage,
  claim: string,
  isHeld: (delays: number[]) => boolean,
  trouble: (ended: () => boolean) => Promise<void> = async () => {},
): Promise<Finding[]> {
  const { cluster, scale, progress } = stage
  const total = scaled(logouts, scale)
  const load = await startLoad(cluster.url, 6)
  const people = await Promise.all(Array.from({ length: parallel }, () => register(cluster.url)))
  const delays: number[] = []
  let lost = 0
  let begun = 0
  let troubled = true
  const troubling = trouble(() => begun >= total).finally(() => {
    troubled = false
  })
  const worker = async (person: Person) => {
    // While there is trouble logouts go on, so that some fall into each kind of it.
    while (begun < total || troubled) {
      begun += 1
      const delay = await timeOneLogout(cluster, person)
      if (delay === undefined) lost += 1
      else delays.push(delay)
      progress(delays.length + lost, total, 'logouts')
    }
  }
  await Promise.all([troubling, ...people.map(worker)])
  await load.stop()
  const failures = describeFailures(load)
  const [median, p99] = [percentile(delays, 0.5), percentile(delays, 0.99)]
  return [
    {
      claim,
      seen: `median ${seconds(median)}, 99th percentile ${seconds(p99)}, longest ${seconds(Math.max(...delays))}, ${delays.length} logouts`,
      holds: isHeld(delays),
      needsQuiet: true,
    },
    { claim: 'no revocation is lost', seen: `${lost} lost`, holds: lost === 0 },
    { claim: 'no live token is refused', seen: failures.text, holds: failures.failed === 0 },
  ]
}

/** @returns milliseconds from the reply to the last instance's first refusal, or `undefined` if one never came */
async function timeOneLogout(cluster: Cluster, person: Person): Promise<number | undefined> {
  const { access_token: token } = await login(cluster.url, person)
  const verifying = cluster.instances.filter(({ service }) => service !== 'auth')
  const accepted = await Promise.all(verifying.map(({ url }) => send(`${url}/whoami`, { token })))
  if (accepted.some(({ status }) => status !== 200)) throw new Error('a new token was refused')
  const repliedAt = await logout(cluster.url, token)
  const refusals = await Promise.all(
    verifying.map(async ({ url }) => {
      while (performance.now() - repliedAt < lostAfterMs) {
        const { status } = await send(`${url}/whoami`, { token })
        if (status === 401) return performance.now()
        await sleep(askEveryMs)
      }
      return undefined
    }),
  )
  const last = Math.max(...refusals.map((at) => at ?? Number.NaN))
  return Number.isNaN(last) ? undefined : last - repliedAt
}
