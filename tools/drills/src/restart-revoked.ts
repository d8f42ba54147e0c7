import type { Cluster } from '@latchkey/cluster/cluster'
import { login, logout, register, send } from '@latchkey/test-kit/client'
import { Client } from 'pg'
import { type Drill, type Finding, formatSeconds, repeat, scaled } from './drill.ts'

/** Live revocations that a verifier reads before it knows the last one. */
const entries = 400_000
const restarts = 10
const verifier = 'orders-1'

/** A verifier that starts knows no revocation. It has to read all of them before it serves. */
export const restartRevoked: Drill = {
  name: 'restart-revoked',
  description: `a verifier restarted ten times while ${entries.toLocaleString('en')} revocations are live`,
  async run(context) {
    const { cluster, scale } = context
    const { access_token: token } = await login(cluster.url, await register(cluster.url))
    const count = scaled(entries, scale)
    await revokeOthers(cluster, count)
    await logout(cluster.url, token)
    const refused: boolean[] = []
    const times: number[] = []
    await repeat(context, restarts, 'restarts', async () => {
      const stopped = performance.now()
      await cluster.restart(verifier)
      times.push(performance.now() - stopped)
      const url = cluster.instances.find(({ name }) => name === verifier)?.url
      refused.push((await send(`${url}/whoami`, { token })).status === 401)
    })
    return [
      {
        claim: 'no restarted verifier accepts a revoked token',
        seen: `${refused.filter((was) => !was).length} accepted in ${refused.length} restarts`,
        holds: refused.every(Boolean),
      },
      servesWithin(8_000, Math.max(...times), count),
    ]
  },
}

/** Fills the feed with sessions that nobody uses. */
async function revokeOthers(cluster: Cluster, count: number): Promise<void> {
  const client = new Client(cluster.databaseUrls.auth)
  await client.connect()
  await client.query(
    `INSERT INTO revocations (kind, id, expires_at)
     SELECT 'session', gen_random_uuid()::text, now() + interval '1 hour'
       FROM generate_series(1, $1)`,
    [count],
  )
  await client.end()
}

const servesWithin = (limitMs: number, longestMs: number, count: number): Finding => ({
  claim: `it stops, starts and has read ${count.toLocaleString('en')} revocations within ${formatSeconds(limitMs)}`,
  seen: `at most ${formatSeconds(longestMs)}`,
  holds: longestMs < limitMs,
  needsQuiet: true,
})
