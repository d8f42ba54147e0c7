import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import t from 'tap'

const root = resolve(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(resolve(root, file), 'utf8')
const pages = execFileSync('git', ['ls-files', '-z', '*.md'], { cwd: root, encoding: 'utf8' })

/** The rows of the first table of `text`, without its head: the first two cells of each. */
const readRows = (text: string) =>
  [...text.matchAll(/^\| *([^|]*?) *\| *([^|]*?) *\|/gm)]
    .slice(2)
    .map(([, what, result]) => [what, result])

t.test('figures in a page are those of the results that a benchmark wrote', async (t) => {
  let tables = 0
  for (const page of pages.split('\0').filter(Boolean)) {
    const marked = read(page).matchAll(/^<!-- figures: (\S+) -->\n\n((?:\|.*\n)+)/gm)
    for (const [, file = '', table = ''] of marked) {
      tables += 1
      const results = new Set(readRows(read(file)).map(String))
      for (const row of readRows(table)) t.ok(results.has(String(row)), `${page}: ${row}`)
    }
  }
  t.ok(tables >= 3)
})
