import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'
import { Client } from 'pg'
import type { Drill } from './drill.ts'
import { playOutage } from './postgres-away.ts'
import { summary } from './traffic.ts'

/** Somebody else holds every connection there is. */
export const postgresFull: Drill = {
  name: 'postgres-full',
  what: 'all connections of Postgres taken by others for 20 s; half-way the services lose theirs too',
  instances: 2,
  run: (stage) =>
    playOutage(stage, async ({ cluster, scale, progress }, answers) => {
      const hog = await takeAllConnections(cluster)
      const full = performance.now()
      progress(1, 3, 'all connections taken')
      await sleep(10_000 * scale)
      const ended = await hog.endServices()
      const from = performance.now()
      progress(2, 3, 'the services’ own ended')
      await sleep(Math.max(3_000, 10_000 * scale))
      const to = performance.now()
      await hog.release()
      const held = answers.filter(({ askedAt }) => askedAt > full && askedAt < from)
      const findings = [
        {
          claim: 'services work on with the connections they have',
          seen: `${hog.taken} connections taken by others; ${summary(held)} meanwhile`,
          holds: held.some(({ deed, verdict }) => deed !== 'whoami' && verdict === 'right'),
        },
        {
          claim: 'then they are left without',
          seen: `${ended} connections of services ended`,
          holds: ended > 0,
        },
      ]
      return { away: [from, to], back: to, findings }
    }),
}

async function superuserUrl({ dataFolder, databaseUrls }: Cluster): Promise<string> {
  const secrets = JSON.parse(await readFile(join(dataFolder, 'secrets.json'), 'utf8'))
  const url = new URL(databaseUrls.auth)
  url.username = 'postgres'
  url.password = secrets.postgres
  url.pathname = '/postgres'
  return url.href
}

/** Connects as superuser, who may take the reserved ones too, until the server has no more. */
async function takeAllConnections(cluster: Cluster) {
  const connectionString = await superuserUrl(cluster)
  const clients: Client[] = []
  let taking = true
  const take = async () => {
    const client = new Client({ connectionString })
    client.on('error', () => {})
    try {
      await client.connect()
      clients.push(client)
      return true
    } catch {
      return false
    }
  }
  while (await take());
  const [first] = clients
  if (!first) throw new Error('not one connection could be taken')
  // Whatever falls free is taken as well.
  const keepTaking = (async () => {
    while (taking) if (!(await take())) await sleep(20)
  })()
  return {
    get taken() {
      return clients.length
    },
    /** Until they have none: a service may be quicker to connect again than we. @returns how many there were */
    async endServices(): Promise<number> {
      let total = 0
      for (;;) {
        const { rowCount } = await first.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE usename LIKE 'latchkey\\_%' AND backend_type = 'client backend'`,
        )
        if (!rowCount) return total
        total += rowCount
        while (await take());
      }
    },
    async release(): Promise<void> {
      taking = false
      await keepTaking
      await Promise.all(clients.map((client) => client.end()))
    },
  }
}
