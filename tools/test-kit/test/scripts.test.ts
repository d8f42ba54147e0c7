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
