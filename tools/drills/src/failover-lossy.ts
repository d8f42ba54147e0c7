import { setTimeout as sleep } from 'node:timers/promises'
import { pairOf } from './drill.ts'
import { nobodySignedOut } from './findings.ts'
import { endAndRefresh, openSessions, revokeMore } from './lost-writes.ts'
import { outageDrill } from './outage.ts'
import { judgeRestored } from './restored-writes.ts'

/** How long it takes to notice that a primary has died. */
const noticeMs = 1_000

/** Loses acknowledged writes, as an asynchronous standby that lags does. */
export const failoverLossy = outageDrill({
  name: 'failover-lossy',
  description: '500 logouts and 2,000 refreshes that a promoted asynchronous standby lacks',
  pair: { isSynchronous: false },
  async disturb(context, answers) {
    const { cluster } = context
    const pair = pairOf(context)
    const sessions = await openSessions(context)
    await pair.caughtUp()
    await pair.stopReplication()
    await endAndRefresh(context, sessions)
    const from = performance.now()
    await pair.primary.kill()
    await sleep(noticeMs)
    await pair.promote()
    await revokeMore(pair.primary, cluster, sessions)
    pair.proxy.switchTo(pair.primary.port)
    const back = performance.now()
    const findings = [
      ...(await judgeRestored(context, pair.primary, sessions)),
      nobodySignedOut(answers),
    ]
    return { unavailable: { from, to: back }, back, findings }
  },
})
