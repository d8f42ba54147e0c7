import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type Postgres, startPostgres } from './postgres.ts'
import { createReport, summarize } from './report.ts'
import { buildTap, tapCommand } from './tap-build.ts'

const help = `Runs the tests on a real Postgres.

  npm test                 all tests
  npm test -- <file>…      these test files

Postgres is the one of LATCHKEY_TEST_DATABASE_URL; else a container, where a Docker engine
answers; else an embedded server that needs nothing installed. The last line counts assertions:
"N passed, N failed". With CI=true, tests that need something this machine lacks fail instead of
being skipped.`

const root = resolve(import.meta.dirname, '../../..')

/** Runs tap over the files and reports; resolves once tap and its test processes have ended. */
async function runTap(files: string[], postgres: Postgres, stopping: AbortSignal) {
  // More than there are processors: tests wait more than they compute.
  const jobs = `--jobs=${2 * availableParallelism()}`
  const tap = spawn(process.execPath, [tapCommand, 'run', '--reporter=tap', jobs, ...files], {
    cwd: root,
    env: {
      ...process.env,
      LATCHKEY_TEST_DATABASE_URL: postgres.url,
      // Every test file is a process, and most load the same services.
      NODE_COMPILE_CACHE: resolve(root, 'node_modules/.cache/latchkey'),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  stopping.addEventListener('abort', () => tap.kill('SIGINT'))
  if (stopping.aborted) tap.kill('SIGINT')
  const { parser, counts } = createReport((line) => console.log(line))
  tap.stdout.pipe(parser)
  const exitCode = await new Promise<number | null>((done, fail) => {
    tap.once('error', fail)
    tap.once('close', done)
  })
  return { counts, exitCode }
}

async function run(files: string[], stopping: AbortSignal): Promise<number> {
  buildTap(root)
  const postgres = await startPostgres()
  console.log(`Postgres: ${postgres.description}`)
  const { counts, exitCode } = await runTap(files, postgres, stopping).finally(postgres.stop)
  if (stopping.aborted) console.log('\nStopped before the end.')
  else if (exitCode !== 0 && counts.failed === 0) console.log(`\ntap ended with ${exitCode}.`)
  else if (counts.passed + counts.failed === 0) console.log('\nNo test ran.')
  if (counts.skipped > 0) console.log(`\n${counts.skipped} skipped; the reasons are above.`)
  console.log(`\n${summarize(counts)}`)
  return exitCode === 0 && counts.failed === 0 && counts.passed > 0 ? 0 : 1
}

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => stop.abort())
}

try {
  const { values, positionals } = parseArgs({
    options: { help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  })
  if (values.help) {
    console.log(help)
  } else {
    const files = positionals.map((file) => resolve(file))
    process.exitCode = await run(files, stop.signal)
  }
} catch (err) {
  console.error(err instanceof Error ? err.message : err)
  process.exitCode = 1
}
process.exit()
