import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { type Drill, pairOf } from '../src/drill.ts'
import { runDrill } from '../src/run-drill.ts'
import { judge, onPair, scales } from './shortened.ts'

for (const drill of onPair(true)) {
  t.test(`drill ${drill.name}, with a synchronous standby`, async (t) => {
    judge(t, await runDrill(drill, scales[drill.name] ?? 1))
  })
}

t.test('stops both database servers when a drill throws', async (t) => {
  const ports: number[] = []
  const drill: Drill = {
    name: 'throws',
    description: 'kills one server, freezes the other, and throws',
    instances: 1,
    pair: { isSynchronous: false },
    async run(context) {
      const { primary, standby } = pairOf(context)
      ports.push(primary.port, standby.port)
      await primary.kill()
      standby.freeze()
      throw new Error('thrown by the drill')
    },
  }
  await t.rejects(runDrill(drill, 1), { message: 'thrown by the drill' })
  t.equal(ports.length, 2)
  for (const port of ports) {
    await t.rejects(once(connect(port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' })
  }
})
