import { startCluster } from '@latchkey/cluster/cluster'
import t from 'tap'
import { drills } from '../src/drills.ts'
import { nobodySignedOut, noneFails, noneWrong } from '../src/findings.ts'
import { judgeAnswers, loginsFailed, recovered } from '../src/outage.ts'
import { drillSettings } from '../src/run-drill.ts'
import type { Answer } from '../src/traffic.ts'
import { judge, scales, sharing } from './shortened.ts'

t.test('every drill is run, shortened', async (t) => {
  t.strictSame(Object.keys(scales).sort(), drills.map(({ name }) => name).sort())
})

for (const [instances, drills] of sharing) {
  const setting = `drills on a cluster with ${instances} instances of each service`
  t.test(setting, { timeout: 400_000 }, async (t) => {
    const settings = { port: 0, instances, ephemeral: true, env: drillSettings }
    const cluster = await startCluster(settings)
    t.teardown(() => cluster.stop())
    for (const { name, obstacle, run } of drills) {
      await t.test(name, { skip: obstacle?.() ?? false }, async (t) => {
        judge(t, await run({ cluster, scale: scales[name] ?? 1, progress: () => {} }))
      })
    }
  })
}

const answer = (given: Partial<Answer>): Answer => ({
  action: 'login',
  askedAt: 0,
  answeredAt: 10,
  status: 200,
  retryAfter: null,
  verdict: 'right',
  ...given,
})

t.test('a claim fails when what it forbids has happened', async (t) => {
  const read = answer({ action: 'whoami' })
  const failedRead = answer({ action: 'whoami', verdict: 'failed' })
  const unavailable = answer({ status: 503, retryAfter: '1', verdict: 'failed' })
  const holds = (answers: Answer[]) => judgeAnswers(answers).map((finding) => finding.holds)
  t.strictSame(holds([read, unavailable]), [true, true, true])
  t.strictSame(holds([unavailable]), [false, true, true], 'nothing was verified')
  t.strictSame(holds([failedRead, unavailable]), [false, true, true], 'a read failed')
  t.strictSame(holds([read, { ...unavailable, retryAfter: null }]), [true, false, true])
  t.strictSame(holds([read, unavailable, answer({ answeredAt: 9_000 })]), [true, true, false])

  const period = { from: 0, to: 100 }
  t.ok(loginsFailed([{ ...unavailable, askedAt: 50 }], period).holds)
  t.notOk(loginsFailed([unavailable, answer({ askedAt: 50 })], period).holds, 'a login succeeded')

  const later = answer({ askedAt: 5_000, answeredAt: 5_010 })
  t.ok(recovered([unavailable, later], 100).holds)
  t.notOk(recovered([unavailable, later, { ...unavailable, answeredAt: 2_200 }], 100).holds, 'late')
  t.notOk(recovered([unavailable], 100).holds, 'nothing was asked after the outage')

  t.notOk(noneWrong([later, answer({ status: 500, verdict: 'wrong' })]).holds)
  t.notOk(noneWrong([]).holds, 'nothing was asked')
  t.ok(noneFails('', [read]).holds)
  t.notOk(noneFails('', [read, failedRead]).holds)
  t.notOk(noneFails('', []).holds, 'nothing was asked')

  const refreshed = answer({ action: 'refresh' })
  t.ok(nobodySignedOut([refreshed, { ...refreshed, status: 503, verdict: 'failed' }]).holds)
  t.notOk(nobodySignedOut([refreshed, { ...refreshed, status: 401, verdict: 'wrong' }]).holds)
  t.notOk(nobodySignedOut([later]).holds, 'nothing was refreshed')
})
