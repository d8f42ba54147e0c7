import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'
import { login, register, send, type Tokens } from '@latchkey/test-kit/client'
import { limits } from '@latchkey/verify'
import { type Drill, type Finding, formatSeconds } from './drill.ts'
import { timeOneLogout } from './revocation.ts'

const aheadSeconds = 30
const ttlSeconds = 32
/** The age in seconds from which the instance that is ahead considers a token expired. */
const refusedFrom = ttlSeconds + limits.defaultClockToleranceSeconds - aheadSeconds
/** How long a revocation may take to reach every instance. */
const revokedWithinMs = 5_000

/** A wrong clock makes clients of that instance refresh early, and has no other effect. */
export const clockAhead: Drill = {
  name: 'clock-ahead',
  description: `the clock of orders-1 is ${aheadSeconds} s ahead, more than the verifiers' tolerance; tokens live ${ttlSeconds} s`,
  env: {
    LATCHKEY_DRILL_CLOCK: `orders-1 ${aheadSeconds}`,
    NODE_OPTIONS: `--import ${import.meta.resolve('./clock.ts')}`,
    LATCHKEY_ACCESS_TOKEN_TTL_SECONDS: String(ttlSeconds),
  },
  async run({ cluster, progress }) {
    const person = await register(cluster.url)
    const { access_token: token, refresh_token } = await login(cluster.url, person)
    const young = await askEach(cluster, token)
    progress(1, 3, 'waiting for the token to expire')
    await sleep((refusedFrom + 2) * 1_000)
    const old = await askEach(cluster, token)
    const body = { refresh_token }
    const refreshed = await send(`${cluster.url}/auth/v1/refresh`, { body })
    const renewed = await askEach(cluster, (refreshed.reply as Tokens).access_token)
    progress(2, 3, 'logging out')
    return [
      allAnswer('every instance accepts a new token', young, '200'),
      {
        claim: `after ${refusedFrom} s it has expired for the instance that is ahead only`,
        seen: describe(old),
        holds: [...old].every(([name, result]) =>
          name === 'orders-1' ? result === '401 token_expired' : result === '200',
        ),
      },
      allAnswer('every instance accepts a token that was refreshed then', renewed, '200'),
      await revocationReachesAll(cluster),
    ]
  },
}

async function revocationReachesAll(cluster: Cluster): Promise<Finding> {
  const delay = await timeOneLogout(cluster, await register(cluster.url))
  return {
    claim: `a revocation reaches every instance within ${formatSeconds(revokedWithinMs)}`,
    seen: delay === undefined ? 'never' : formatSeconds(delay),
    holds: delay !== undefined && delay < revokedWithinMs,
  }
}

/** Checks that every instance gives the same answer. */
const allAnswer = (claim: string, results: Results, expected: string): Finding => ({
  claim,
  seen: describe(results),
  holds: results.size > 1 && [...results.values()].every((result) => result === expected),
})

/** By instance. */
type Results = ReadonlyMap<string, string>

/** Each verifying instance's answer to a token: `200`, or status and code. */
async function askEach({ instances }: Cluster, token: string): Promise<Results> {
  const asked = instances.filter(({ service }) => service !== 'auth')
  const results = asked.map(async ({ name, url }) => {
    const { status, reply } = await send(`${url}/whoami`, { token })
    const { code } = (reply ?? {}) as { code?: string }
    return [name, code ? `${status} ${code}` : String(status)] as const
  })
  return new Map(await Promise.all(results))
}

const describe = (results: Results) =>
  [...results].map(([name, result]) => `${name} ${result}`).join(', ')
