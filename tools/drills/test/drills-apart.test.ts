import t from 'tap'
import { play } from '../src/play.ts'
import { apart, judge, scales } from './shortened.ts'

for (const drill of apart) {
  const { name, obstacle } = drill
  t.test(`drill ${name}, on a cluster of its own`, { skip: obstacle?.() ?? false }, async (t) => {
    judge(t, await play(drill, scales[name] ?? 1))
  })
}
