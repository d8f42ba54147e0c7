import { setTimeout as sleep } from 'node:timers/promises'
import { startLoad } from '@latchkey/test-kit/load'
import { pairOf } from './drill.ts'
import { nobodySignedOut } from './findings.ts'
import { type Acknowledged, createWriter, lookUp } from './nothing-lost.ts'
import { outageDrill } from './outage.ts'

/** How long it takes to notice that a primary has died. Operators of failover take longer. */
const noticeMs = 2_000

export const failover = outageDrill({
  name: 'failover',
  description: 'the primary killed under writes, and its synchronous standby promoted',
  pair: { isSynchronous: true },
  clients: { whoami: 6, orders: 2, login: 2, refresh: 6 },
  async disturb(context, answers) {
    const { cluster, scale, progress } = context
    const pair = pairOf(context)
    const done: Acknowledged = { people: [], ended: [], open: [], orders: [] }
    const writers = startLoad(Array.from({ length: 3 }, () => createWriter(cluster.url, done)))
    await sleep(20_000 * scale)
    const from = performance.now()
    await pair.primary.kill()
    progress(1, 2, 'the primary is killed')
    await sleep(noticeMs)
    await pair.promote()
    pair.proxy.switchTo(pair.primary.port)
    const back = performance.now()
    await sleep(5_000)
    await writers.stop()
    progress(2, 2, 'looking everything up')
    const findings = [...(await lookUp(cluster.url, done)), nobodySignedOut(answers)]
    return { unavailable: { from, to: back }, back, findings }
  },
})
