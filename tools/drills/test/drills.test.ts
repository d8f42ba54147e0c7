import { startCluster } from '@latchkey/cluster/cluster'
import t from 'tap'
import { drills } from '../src/index.ts'
import { drillSettings } from '../src/play.ts'
import { missed, recovered, whileAway } from '../src/postgres-away.ts'
import { type Answer, nothingWrong } from '../src/traffic.ts'
import { judge, scales, sharing } from './shortened.ts'

t.test('every drill is played, shortened', async (t) => {
  t.strictSame(Object.keys(scales).sort(), drills.map(({ name }) => name).sort())
})

for (const [instances, drills] of sharing) {
  const setting = `drills, on one cluster of ${instances} instances of each service`
  t.test(setting, { timeout: 240_000 }, async (t) => {
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
  deed: 'login',
  askedAt: 0,
  answeredAt: 10,
  status: 200,
  servedBy: 'auth-1',
  retryAfter: null,
  verdict: 'right',
  ...given,
})

t.test('a drill breaks where it should', async (t) => {
  const verification = answer({ deed: 'whoami' })
  const honest = answer({ status: 503, retryAfter: '1', verdict: 'failed' })
  const holds = (answers: Answer[]) => whileAway(answers).map((finding) => finding.holds)
  t.strictSame(holds([verification, honest]), [true, true, true])
  t.strictSame(holds([honest]), [false, true, true], 'nothing was verified')
  t.strictSame(holds([{ ...verification, verdict: 'failed' }, honest]), [false, true, true])
  t.strictSame(holds([verification, { ...honest, retryAfter: null }]), [true, false, true])
  t.strictSame(holds([verification, honest, answer({ answeredAt: 9_000 })]), [true, true, false])
  t.ok(missed([{ ...honest, askedAt: 50 }], 0, 100).holds)
  t.notOk(missed([honest, answer({ askedAt: 50 })], 0, 100).holds, 'Postgres was not missed')

  const later = answer({ askedAt: 5_000, answeredAt: 5_010 })
  t.ok(recovered([honest, later], 100).holds)
  t.notOk(recovered([honest, later, { ...honest, answeredAt: 2_200 }], 100).holds, 'too late')
  t.notOk(recovered([honest], 100).holds, 'nobody came back')

  t.notOk(nothingWrong([later, answer({ status: 500, verdict: 'wrong' })]).holds)
  t.notOk(nothingWrong([]).holds, 'nothing was asked')
})
