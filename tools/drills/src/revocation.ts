import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'
import { login, logout, type Person, register, send } from '@latchkey/test-kit/client'
import {
  type Context,
  type Drill,
  type Finding,
  formatSeconds,
  percentile,
  scaled,
} from './drill.ts'
import { noneFails } from './findings.ts'
import { underTraffic } from './traffic.ts'

const logouts = 200
/** Logouts under way simultaneously. */
const parallel = 8
/** How often each instance is asked whether it still accepts the token. */
const askEveryMs = 50
/** After this, three times the outage, the revocation is lost. */
const lostAfterMs = 60_000
const outageMs = 20_000

/** Times each revocation from the reply to the logout until every instance refuses the token. */
export const revocation: Drill = {
  name: 'revocation',
  description: '200 logouts under load, each timed until every instance refuses the token',
  instances: 3,
  run: (context) =>
    logOutMany(context, {
      claim: 'every instance refuses the token: 99th percentile under 2 s',
      isFast: (delaysMs) => percentile(delaysMs, 0.99) < 2_000,
    }),
}

export const revocationInTrouble: Drill = {
  name: 'revocation-in-trouble',
  description:
    '200 logouts while auth-2 is killed every 2 s, then while Postgres is stopped for 20 s',
  instances: 3,
  run: (context) =>
    logOutMany(context, {
      // A logout acknowledged just before Postgres stops becomes known when Postgres is back.
      claim: 'every instance refuses the token, at the latest 5 s after the outage',
      isFast: (delaysMs) => Math.max(...delaysMs) < outageMs + 5_000,
      async disturb(isDone) {
        const { cluster, scale } = context
        for (let i = 0; i < scaled(10, scale) && !isDone(); i += 1) {
          cluster.kill('auth-2')
          await sleep(2_000)
        }
        await cluster.stopProcess('postgres')
        await sleep(outageMs * Math.min(1, scale * 2))
        await cluster.startProcess('postgres')
      },
    }),
}

interface Variant {
  readonly claim: string
  isFast(delaysMs: readonly number[]): boolean
  /** Runs beside the logouts, which continue until it ends. */
  disturb?(isDone: () => boolean): Promise<void>
}

async function logOutMany(context: Context, variant: Variant): Promise<Finding[]> {
  const { cluster, scale, progress } = context
  const { claim, isFast, disturb = async () => {} } = variant
  const total = scaled(logouts, scale)
  const people = await Promise.all(Array.from({ length: parallel }, () => register(cluster.url)))
  const delays: number[] = []
  let lost = 0
  let begun = 0
  let disturbed = true
  const logOutRepeatedly = async (person: Person) => {
    while (begun < total || disturbed) {
      begun += 1
      const delay = await timeOneLogout(cluster, person)
      if (delay === undefined) lost += 1
      else delays.push(delay)
      progress(delays.length + lost, total, 'logouts')
    }
  }
  const { answers } = await underTraffic(cluster.url, { whoami: 6 }, async () => {
    const disturbing = disturb(() => begun >= total).finally(() => {
      disturbed = false
    })
    await Promise.all([disturbing, ...people.map(logOutRepeatedly)])
  })
  const [median, p99] = [percentile(delays, 0.5), percentile(delays, 0.99)]
  const longest = Math.max(...delays)
  return [
    {
      claim,
      seen: `median ${formatSeconds(median)}, 99th percentile ${formatSeconds(p99)}, longest ${formatSeconds(longest)}, ${delays.length} logouts`,
      holds: isFast(delays),
      needsQuiet: true,
    },
    { claim: 'no revocation is lost', seen: `${lost} lost`, holds: lost === 0 },
    noneFails('no valid token is refused', answers),
  ]
}

/** @returns milliseconds from the reply until every instance refused; `undefined` if one did not */
export async function timeOneLogout(cluster: Cluster, person: Person): Promise<number | undefined> {
  const { access_token: token } = await login(cluster.url, person)
  const verifying = cluster.instances.filter(({ service }) => service !== 'auth')
  const accepted = await Promise.all(verifying.map(({ url }) => send(`${url}/whoami`, { token })))
  if (accepted.some(({ status }) => status !== 200)) throw new Error('A new token was refused.')
  const repliedAt = await logout(cluster.url, token)
  const refusals = verifying.map(async ({ url }) => {
    while (performance.now() - repliedAt < lostAfterMs) {
      const { status } = await send(`${url}/whoami`, { token })
      if (status === 401) return performance.now()
      await sleep(askEveryMs)
    }
    return Number.NaN
  })
  const last = Math.max(...(await Promise.all(refusals)))
  return Number.isNaN(last) ? undefined : last - repliedAt
}
