// Installs the dependencies of pnpm-lock.yaml unless they are installed. Every script of package.json
// runs it first, on Node 18 or newer; it returns immediately when nothing has changed. It leaves
// standard input and output to the script.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const pnpm = 'pnpm@12.21.0'
const root = new URL('./', import.meta.url)

/** A copy of the lock file that pnpm writes when an installation is complete. */
const installed = 'node_modules/.pnpm/lock.yaml'

function read(file) {
  try {
    return readFileSync(new URL(file, root), 'utf8')
  } catch {
    return undefined
  }
}

if (read(installed) !== read('pnpm-lock.yaml')) {
  console.error('Installing dependencies (this takes about a minute the first time) …')
  const args = ['--yes', pnpm, 'install', '--frozen-lockfile', '--prefer-offline']
  const options = {
    cwd: root,
    stdio: ['ignore', process.stderr, 'inherit'],
    shell: process.platform === 'win32',
  }
  const { status, error } = spawnSync('npx', args, options)
  if (error) console.error(`cannot run npx: ${error.message}`)
  process.exit(status ?? 1)
}
