import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'
import { Client } from 'pg'
import { killAndAwaitRestart, repeat } from './drill.ts'
import { summarize } from './findings.ts'
import { outageDrill } from './outage.ts'

const outageMs = 20_000
/** An outage that is shorter than a statement's time-out is only a slow server. */
const minFrozenMs = 8_000

export const postgresAway = outageDrill({
  name: 'postgres-away',
  description: 'Postgres stopped for 20 s, under load',
  async disturb({ cluster, scale }) {
    await cluster.stopProcess('postgres')
    const from = performance.now()
    await sleep(outageMs * scale)
    const to = performance.now()
    await cluster.startProcess('postgres')
    return { unavailable: { from, to }, back: performance.now() }
  },
})

/** Sockets stay open, but nothing answers. */
export const postgresFrozen = outageDrill({
  name: 'postgres-frozen',
  description: 'Postgres and all its sessions frozen (SIGSTOP) for 20 s, under load',
  async disturb({ cluster, scale }) {
    cluster.freeze('postgres')
    const from = performance.now()
    await sleep(Math.max(minFrozenMs, outageMs * scale))
    const to = performance.now()
    cluster.thaw('postgres')
    return { unavailable: { from, to }, back: to }
  },
})

/** Restarts Postgres as a minor update does; the last time it crashes and recovers. */
export const postgresRestarted = outageDrill({
  name: 'postgres-restarted',
  description: 'Postgres restarted four times and crashed once, under load',
  async disturb(context) {
    const { cluster } = context
    await repeat(context, 5, 'restarts', async (_, isLast) => {
      if (isLast) return killAndAwaitRestart(cluster, 'postgres', 'SIGQUIT')
      await cluster.restart('postgres')
      await sleep(2_000)
    })
    return { back: performance.now() }
  },
})

export const postgresFull = outageDrill({
  name: 'postgres-full',
  description: 'other clients use all connections for 20 s; after 10 s the services lose theirs',
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

/** A superuser may use the reserved connections too. */
async function superuserUrl({ dataFolder, databaseUrls }: Cluster): Promise<string> {
  const { postgres } = JSON.parse(await readFile(join(dataFolder, 'secrets.json'), 'utf8'))
  const { host } = new URL(databaseUrls.auth)
  return `postgres://postgres:${postgres}@${host}/postgres`
}

/** Takes all connections, and every one that becomes free, until it is stopped. */
async function startConnectionHog(cluster: Cluster) {
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
  if (!first) throw new Error('No connection to Postgres could be opened.')
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
