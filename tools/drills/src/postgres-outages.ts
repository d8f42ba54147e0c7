import { setTimeout as sleep } from 'node:timers/promises'
import { type Drill, killAndAwaitRestart, repeat } from './drill.ts'
import { runOutage } from './outage.ts'

const outageMs = 20_000
/** An outage that is shorter than a statement's time-out is only a slow server. */
const minFrozenMs = 8_000

export const postgresAway: Drill = {
  name: 'postgres-away',
  description: 'Postgres stopped for 20 s, under load',
  instances: 2,
  run: (context) =>
    runOutage(context, async () => {
      const { cluster, scale } = context
      await cluster.stopProcess('postgres')
      const from = performance.now()
      await sleep(outageMs * scale)
      const to = performance.now()
      await cluster.startProcess('postgres')
      return { unavailable: { from, to }, back: performance.now() }
    }),
}

/** Sockets stay open, but nothing answers. */
export const postgresFrozen: Drill = {
  name: 'postgres-frozen',
  description: 'Postgres and all its sessions frozen (SIGSTOP) for 20 s, under load',
  instances: 2,
  run: (context) =>
    runOutage(context, async () => {
      const { cluster, scale } = context
      cluster.freeze('postgres')
      const from = performance.now()
      await sleep(Math.max(minFrozenMs, outageMs * scale))
      const to = performance.now()
      cluster.thaw('postgres')
      return { unavailable: { from, to }, back: to }
    }),
}

/** Restarts Postgres as a minor update does; the last time it crashes and recovers. */
export const postgresRestarted: Drill = {
  name: 'postgres-restarted',
  description: 'Postgres restarted four times and crashed once, under load',
  instances: 2,
  run: (context) =>
    runOutage(context, async () => {
      const { cluster } = context
      await repeat(context, 5, 'restarts', async (_, isLast) => {
        if (isLast) return killAndAwaitRestart(cluster, 'postgres', 'SIGQUIT')
        await cluster.restart('postgres')
        await sleep(2_000)
      })
      return { back: performance.now() }
    }),
}
