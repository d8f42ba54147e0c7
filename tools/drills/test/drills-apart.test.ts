import t from 'tap'
import { runDrill } from '../src/run-drill.ts'
import { apart, judge, scales } from './shortened.ts'

for (const drill of apart) {
  const { name, obstacle } = drill
  t.test(`drill ${name}, on its own cluster`, { skip: obstacle?.() ?? false }, async (t) => {
    judge(t, await runDrill(drill, scales[name] ?? 1))
  })
}
