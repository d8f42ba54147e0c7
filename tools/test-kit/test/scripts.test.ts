import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { execa } from 'execa'
import t from 'tap'

const root = resolve(import.meta.dirname, '../../..')
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
}

t.test('every script installs the dependencies, and with them its Node, first', async (t) => {
  for (const name of Object.keys(scripts).filter((script) => !script.startsWith('pre'))) {
    t.equal(scripts[`pre${name}`], 'node install.mjs', name)
  }
})

t.test('an installation prints nothing to the output of a script', async (t) => {
  const { stdout, exitCode } = await execa('npm', ['run', '--silent', 'latchkey', '--', '--help'], {
    cwd: root,
  })
  t.equal(exitCode, 0)
  t.match(stdout, /^Usage: latchkey/)
})

const keysCommands = ['generate', 'add', 'promote', 'retire', 'list', 'status', 'export']
const lines = [
  ...['start', 'test', 'drill', 'compose:init', 'bench', 'fuzz', 'fuzz:api'],
  ...['latchkey', 'latchkey inspect', 'latchkey keys'],
  ...keysCommands.map((command) => `latchkey keys ${command}`),
]

for (const line of lines) {
  t.test(`${line} explains itself, and refuses an unknown flag`, async (t) => {
    const [script = '', ...subcommands] = line.split(' ')
    const [, ...args] = scripts[script]?.split(' ') ?? []
    const run = (...flags: string[]) =>
      execa(process.execPath, [...args, ...subcommands, ...flags], { cwd: root, reject: false })
    const help = await run('--help')
    t.match(help.stdout, /^Usage: /)
    t.equal(help.exitCode, 0)
    // With the options that a command of `keys` requires.
    const required =
      subcommands.length > 1 ? ['--keys', 'x', '--out', 'x', '--service-keys', 'x'] : []
    const refused = await run('--nonsense', ...required)
    t.match(refused.stderr, /nonsense/)
    t.notMatch(refused.stderr, /\n +at /, 'without a stack')
    t.ok([1, 2].includes(Number(refused.exitCode)))
    t.equal(refused.stdout, '')
  })
}
