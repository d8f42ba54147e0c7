import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'
import { Client } from 'pg'
import { summarize } from './findings.ts'
import { outageDrill } from './outage.ts'

/** Other clients take every connection. */
export const postgresFull = outageDrill({
  name: 'postgres-full',
  description:
    'other clients take all connections of Postgres for 20 s; half-way the services lose theirs',
  async disturb({ cluster, scale, progress }, answers) {
    const hog = await startConnectionHog(cluster)
    const full = performance.now()
    progress(1, 3, 'all connections taken')
    await sleep(10_000 * scale)
    const ended = await hog.endServiceConnections()
    const from = performance.now()
    progress(2, 3, 'connections of the services ended')
    await sleep(Math.max(3_000, 10_000 * scale))
    const to = performance.now()
    const taken = await hog.stop()
    const whileFull = answers.filter(({ askedAt }) => askedAt > full && askedAt < from)
    const findings = [
      {
        claim: 'services continue with the connections they have',
        seen: `${taken} connections taken; ${summarize(whileFull)} meanwhile`,
        holds: whileFull.some(({ action, verdict }) => action !== 'whoami' && verdict === 'right'),
      },
      { claim: 'then the services lose them', seen: `${ended} ended`, holds: ended > 0 },
    ]
    return { unavailable: { from, to }, back: to, findings }
  },
})

async function superuserUrl({ dataFolder, databaseUrls }: Cluster): Promise<string> {
  const secrets = JSON.parse(await readFile(join(dataFolder, 'secrets.json'), 'utf8'))
  const url = new URL(databaseUrls.auth)
  url.username = 'postgres'
  url.password = secrets.postgres
  url.pathname = '/postgres'
  return url.href
}

/** Takes all connections, and every one that becomes free, until it is stopped. */
async function startConnectionHog(cluster: Cluster) {
  // A superuser may use the reserved connections too.
  const connectionString = await superuserUrl(cluster)
  const clients: Client[] = []
  const connect = async (): Promise<boolean> => {
    const client = new Client({ connectionString })
    client.on('error', () => {})
    const connected = client.connect().then(() => clients.push(client))
    return connected.then(Boolean, () => false)
  }
  while (await connect());
  const [first] = clients
  if (!first) throw new Error('Not a single connection to Postgres could be opened.')
  let stopped = false
  const work = (async () => {
    while (!stopped) if (!(await connect())) await sleep(20)
  })()
  return {
    /** Repeats until none is left: a service may reconnect first. @returns how many were ended */
    async endServiceConnections(): Promise<number> {
      let total = 0
      for (;;) {
        const { rowCount } = await first.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE usename LIKE 'latchkey\\_%' AND backend_type = 'client backend'`,
        )
        if (!rowCount) return total
        total += rowCount
        while (await connect());
      }
    },
    /** @returns how many connections were taken */
    async stop(): Promise<number> {
      stopped = true
      await work
      await Promise.all(clients.map((client) => client.end()))
      return clients.length
    },
  }
}
