import t from 'tap'
import { startCluster } from '../src/cluster.ts'
import { drills } from '../src/drills/index.ts'
import { recovered, whileAway } from '../src/drills/postgres-away.ts'
import { type Answer, nothingWrong } from '../src/drills/traffic.ts'

/** Which drills are played here, and how much of each; `npm run drill` plays all of all. */
const shortened = {
  kill: 0.35,
  'rolling-restart': 0.5,
  'edge-restarted': 0.2,
  'postgres-away': 0.2,
  'postgres-restarted': 0.2,
  'postgres-frozen': 0.1,
  'nothing-lost': 0.2,
}

t.test('drills, on one cluster', { timeout: 240_000 }, async (t) => {
  const cluster = await startCluster({
    port: 0,
    instances: 2,
    ephemeral: true,
    env: { LATCHKEY_REGISTER_LIMIT: '1000000' },
  })
  t.teardown(() => cluster.stop())
  for (const [name, scale] of Object.entries(shortened)) {
    await t.test(name, async (t) => {
      const drill = drills.find((one) => one.name === name)
      if (!drill) throw new Error(`there is no drill ${name}`)
      const findings = await drill.run({ cluster, scale, progress: () => {} })
      for (const { claim, seen, holds } of findings) t.ok(holds, `${claim}: ${seen}`)
    })
  }
})

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
  const holds = (answers: Answer[]) => whileAway(answers, 0, 100).map((finding) => finding.holds)
  t.strictSame(holds([verification, honest]), [true, true, true])
  t.strictSame(holds([honest]), [false, true, true], 'nothing was verified')
  t.strictSame(holds([{ ...verification, verdict: 'failed' }, honest]), [false, true, true])
  t.strictSame(holds([verification, { ...honest, retryAfter: null }]), [true, false, true])
  t.strictSame(holds([verification]), [true, false, true], 'Postgres was not missed')
  t.strictSame(holds([verification, honest, answer({ answeredAt: 9_000 })]), [true, true, false])

  const later = answer({ askedAt: 5_000, answeredAt: 5_010 })
  t.ok(recovered([honest, later], 100).holds)
  t.notOk(recovered([honest, later, { ...honest, answeredAt: 2_200 }], 100).holds, 'too late')
  t.notOk(recovered([honest], 100).holds, 'nobody came back')

  t.notOk(nothingWrong([later, answer({ status: 500, verdict: 'wrong' })]).holds)
  t.notOk(nothingWrong([]).holds, 'nothing was asked')
})
