import { setTimeout as sleep } from 'node:timers/promises'
import { killAndAwaitRestart, repeat } from './drill.ts'
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
