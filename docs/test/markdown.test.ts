import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import t from 'tap'

const root = resolve(import.meta.dirname, '../..')
const maxColumns = 100

const tracked = execFileSync('git', ['ls-files', '-z', '*.md'], { cwd: root, encoding: 'utf8' })
const pages = tracked.split('\0').filter((file) => file !== '' && existsSync(join(root, file)))
const read = (file: string) => readFileSync(join(root, file), 'utf8')

/** A page with its fenced code blanked out, so that line numbers stay. */
const readProse = (file: string) =>
  read(file).replace(/^( *)```.*\n[\s\S]*?^\1```$/gm, (code) => code.replace(/.+/g, ''))

/** The files of this repository that a page links to. */
const findLinks = (file: string) =>
  [...readProse(file).matchAll(/\]\((?!\w+:|#)([^)#]+)/g)].map(([, target = '']) =>
    join(dirname(file), target),
  )

t.test(`prose is wrapped at ${maxColumns} columns`, async (t) => {
  for (const file of pages) {
    const tooLong = readProse(file)
      .split('\n')
      .map((line, index) => ({ line, number: index + 1 }))
      .filter(({ line }) => line.length > maxColumns && !/^\s*\||^#|\]\(|https?:/.test(line))
    t.strictSame(
      tooLong.map(({ number }) => number),
      [],
      file,
    )
  }
})

t.test('links and file names in code spans point to files that exist', async (t) => {
  const path = /`((?:services|packages|tools|ops|k8s|docs)\/[\w./-]+\.\w+)`/g
  for (const file of pages) {
    const paths = [...readProse(file).matchAll(path)].map(([, target = '']) => target)
    for (const target of [...findLinks(file), ...paths]) {
      t.ok(existsSync(join(root, target)), `${file}: ${target}`)
    }
  }
})

t.test('the indexes list every page', async (t) => {
  const index = findLinks('docs/README.md')
  const decisions = findLinks('docs/decisions/README.md')
  for (const file of pages.filter((file) => /^(docs|tools\/bench)\//.test(file))) {
    if (file === 'docs/README.md') continue
    const isDecision = /^docs\/decisions\/\d/.test(file)
    t.ok((isDecision ? decisions : index).includes(file), `${file} is listed`)
  }
})
