import t from 'tap'
import { patroni } from '../src/patroni.ts'
import { runDrill } from '../src/run-drill.ts'
import { judge, scales } from './shortened.ts'

// CI installs the packages; without them the test fails there.
const skip = process.env.CI === 'true' ? false : (patroni.obstacle?.() ?? false)

t.test('drill patroni', { skip, timeout: 240_000 }, async (t) => {
  judge(t, await runDrill(patroni, scales[patroni.name] ?? 1))
})
