// Installs the workspace, if it is not installed as pnpm-lock.yaml says. Runs on any Node from 18 on, before
// `npm start` and `npm test`; when there is nothing to do it takes no time.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const pnpm = 'pnpm@12.21.0'
const root = new URL('./', import.meta.url)

/** What pnpm copies into node_modules when it has finished. */
const installed = 'node_modules/.pnpm/lock.yaml'

function read(file) {
  try {
    return readFileSync(new URL(file, root), 'utf8')
  } catch {
    return undefined
  }
}

if (read(installed) !== read('pnpm-lock.yaml')) {
  console.log('Installing what Latchkey needs (the first time, this takes a while) …')
  const args = ['--yes', pnpm, 'install', '--frozen-lockfile', '--prefer-offline']
  const options = { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' }
  const { status, error } = spawnSync('npx', args, options)
  if (error) console.error(`npx cannot be run: ${error.message}`)
  process.exit(status ?? 1)
}
