import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import manifest from '../../package.json' with { type: 'json' }
import { readBlocks, readCommands } from '../../tools/test-kit/src/guide.ts'
import { runners } from './runners.ts'

const root = resolve(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const guides = globSync('docs/guides/*.md', { cwd: root }).sort()
const pages = ['README.md', 'packages/verify/README.md', 'packages/web/README.md', ...guides]
const languages = ['sh', 'ts', 'js', 'python', 'json', 'yaml']

t.test('a test runs or compiles every block of code, or a reason is given', async (t) => {
  const withCode = pages.filter((page) => readBlocks(page).length > 0)
  for (const page of withCode) {
    const known = runners[page] ?? {}
    const blocks = readBlocks(page).filter(({ language }) => languages.includes(language))
    const sections = [...new Set(blocks.map(({ section }) => section))]
    t.strictSame(sections.sort(), Object.keys(known).sort(), page)
    for (const [section, runner] of Object.entries(known)) {
      if (/^\w+\/\S+\.ts$/.test(runner)) t.ok(existsSync(join(root, runner)), `${page}: ${section}`)
    }
  }
})

t.test('commands are valid shell, and npm knows their scripts', async (t) => {
  for (const page of pages) {
    for (const command of readCommands(page)) {
      const input = command.replaceAll(/<[\w -]+>/g, 'placeholder')
      t.doesNotThrow(() => execFileSync('bash', ['-n'], { input }), `${page}: ${command}`)
      const named = [...command.matchAll(/\bnpm (?:run (?:--silent )?([\w:]+)|(start|test)\b)/g)]
      for (const [, script = '', own = script] of named) t.ok(own in manifest.scripts, own)
    }
  }
})

t.test('JSON can be read', async (t) => {
  for (const { code } of pages.flatMap(readBlocks).filter(({ language }) => language === 'json')) {
    t.doesNotThrow(() => JSON.parse(code), code)
  }
})

t.test('the guide to add a service creates a secret like the others', async (t) => {
  const secrets = t.testdir({ ops: { compose: { secrets: { auth_database_url: '' } } } })
  const [command = ''] = readCommands(
    'docs/guides/add-a-service.md',
    'An installation that already runs',
  )
  execFileSync('bash', ['--norc', '-euc', command], { cwd: secrets })
  const file = join(secrets, 'ops/compose/secrets/shop_database_url')
  t.match(
    readFileSync(file, 'utf8'),
    /^postgres:\/\/latchkey_shop:\w{48}@postgres:5432\/latchkey_shop\n$/,
  )
  t.equal(statSync(file).mode & 0o777, 0o600)
})

const sources = globSync('{packages,services}/*/src/**/*.ts', { cwd: root }).map(read).join('\n')
const page = 'docs/guides/troubleshooting.md'
const metrics = read('docs/metrics.md')
const codes = read('docs/errors.md')

/** Texts in the first column of the guide that no source of Latchkey contains. */
const foreign = [
  ...['field is immutable', 'CreateContainerConfigError', 'ContainerCreating'],
  ...['ENOTFOUND', 'EAI_AGAIN', 'listen EAFNOSUPPORT', 'to-dns'],
]

t.test('troubleshooting quotes texts, codes and metrics that exist', async (t) => {
  const cells = [...read(page).matchAll(/^\| ([^|]+) \|/gm)].map(([, cell = '']) => cell)
  const quoted = cells.flatMap((cell) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, one = '']) => one),
  )
  t.ok(quoted.length > 30)
  for (const text of quoted.filter((one) => !foreign.includes(one))) {
    const isKnown = text
      .split(/ ?… ?/)
      .every((part) => [sources, metrics, codes].some((one) => one.includes(part)))
    t.ok(isKnown, text)
  }
})
