import t from 'tap'
import { runDrill } from '../src/run-drill.ts'
import { judge, onPair, scales } from './shortened.ts'

for (const drill of onPair(false)) {
  t.test(`drill ${drill.name}, with an asynchronous standby`, async (t) => {
    judge(t, await runDrill(drill, scales[drill.name] ?? 1))
  })
}
