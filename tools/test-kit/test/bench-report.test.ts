import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import t from 'tap'

const folder = join(import.meta.dirname, '../../bench')
const results = ['md', 'svg'].map((extension) => join(folder, `results/of-a-test.${extension}`))
const script = `
  import { report } from './report.ts'
  const panels = { slow: [{ label: 'a', value: 9 }, { label: 'b', value: 3 }], fast: [{ label: 'c', value: 1 }] }
  await report({ name: 'of-a-test', title: 'A test', measures: [], panels, unit: 'ns' })`
const run = (...flags: string[]) =>
  execa(process.execPath, ['--input-type=module', '--eval', script, '--', ...flags], {
    cwd: folder,
  })

t.teardown(() => {
  for (const file of results) rmSync(file, { force: true })
})

t.test('a benchmark writes its results only with --save', async (t) => {
  t.match((await run()).stdout, /# A test[\s\S]*Not saved/)
  t.notOk(results.some(existsSync))
  await run('--save')
  t.ok(results.every(existsSync))
})

t.test('an unknown benchmark is refused, and the others are listed', async (t) => {
  const main = join(folder, 'main.ts')
  for (const names of [['of-a-test'], ['toString'], ['verify', 'refresh'], []]) {
    const { stderr, exitCode } = await execa(process.execPath, [main, ...names], { reject: false })
    t.equal(exitCode, 2, names.join(' '))
    t.match(stderr, /^ {2}refresh /m)
  }
})

t.test('a plot has a scale for each comparison', async (t) => {
  await run('--save')
  const bars = [...readFileSync(String(results[1]), 'utf8').matchAll(/width="(\d+)" height="18"/g)]
  const [a, b, c] = bars.map(([, length]) => Number(length))
  t.equal(c, a, 'the longest bar of each is equally long')
  t.equal(b, Math.round(Number(a) / 3))
})
