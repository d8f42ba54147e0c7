import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { Command } from 'commander'
import { execa } from 'execa'
import { onNpmGone } from './npm.ts'
import { startPostgres } from './postgres.ts'
import type { FileReport } from './report.ts'
import { buildTap } from './tap-build.ts'

const root = resolve(import.meta.dirname, '../../..')

/** Runs the test files and reports each when it ends. Resolves when all processes have ended. */
async function runTap(files: readonly string[], postgresUrl: string, signal: AbortSignal) {
  const tapWithReport = resolve(import.meta.dirname, 'tap-with-report.ts')
  // More jobs than processors: tests wait more than they compute.
  const flags = ['run', '--reporter=tap', `--jobs=${2 * availableParallelism()}`]
  const tap = execa(process.execPath, [tapWithReport, ...flags, ...files], {
    cwd: root,
    env: {
      LATCHKEY_TEST_DATABASE_URL: postgresUrl,
      // Every test file is a process, and most of them load the same services.
      NODE_COMPILE_CACHE: resolve(root, 'node_modules/.cache/latchkey'),
    },
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'inherit',
    ipc: true,
    buffer: false,
    reject: false,
    killSignal: 'SIGINT',
    forceKillAfterDelay: false,
    cancelSignal: signal,
  })
  const counts = { passed: 0, failed: 0, skipped: 0 }
  tap.nodeChildProcess.on('message', (message) => {
    const { file } = message as { file?: FileReport } // tap sends messages of its own.
    for (const line of file?.lines ?? []) console.log(line)
    for (const key of ['passed', 'failed', 'skipped'] as const) counts[key] += file?.[key] ?? 0
  })
  const { exitCode, signal: killedBy } = await tap
  return { ...counts, exit: exitCode ?? killedBy }
}

async function run(files: readonly string[], signal: AbortSignal): Promise<number> {
  buildTap(root)
  const postgres = await startPostgres()
  console.log(`Postgres: ${postgres.description}`)
  const result = await runTap(files, postgres.url, signal).finally(postgres.stop)
  const { passed, failed, skipped, exit } = result
  if (signal.aborted) console.log('\nInterrupted.')
  else if (exit !== 0 && failed === 0) console.log(`\ntap exited with ${exit}.`)
  else if (passed + failed === 0) console.log('\nNo test ran.')
  if (skipped > 0) console.log(`\n${skipped} skipped; the reasons are above.`)
  console.log(`\n${passed} passed, ${failed} failed`)
  return exit === 0 && failed === 0 && passed > 0 ? 0 : 1
}

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => stopping.abort())
}
onNpmGone(() => stopping.abort())

const { args: files } = new Command('npm test --')
  .description('Runs the tests on a real PostgreSQL server.')
  .argument('[files...]', 'test files (default: all)')
  .addHelpText(
    'after',
    `
The tests use the server at LATCHKEY_TEST_DATABASE_URL if it is set. Otherwise they start a container
if a Docker engine is running, and an embedded server if not. The last line counts assertions:
"N passed, N failed". A test that needs something this machine lacks is skipped; with CI=true, it
fails.`,
  )
  .parse()
try {
  process.exitCode = await run(
    files.map((file) => resolve(file)),
    stopping.signal,
  )
} catch (err) {
  console.error(err instanceof Error ? err.message : err)
  process.exitCode = 1
}
process.exit()
