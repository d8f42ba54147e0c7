import { readFileSync } from 'node:fs'
import { styleText } from 'node:util'
import { onNpmGone } from '@latchkey/test-kit/npm'
import { Argument, Command, InvalidArgumentError } from 'commander'
import { runBadClients } from './bad-clients.ts'
import type { Context, Drill, Finding } from './drill.ts'
import { drills } from './drills.ts'
import { runDrill } from './run-drill.ts'

interface AtEdge {
  readonly edge: string
  readonly cacert?: string
  readonly scale: number
}

const names = drills.map(({ name }) => name)
const descriptions = drills
  .map((drill) => `  ${drill.name.padEnd(22)} ${drill.description}`)
  .join('\n')
const { stdout } = process
const print = (line: string) => stdout.write(`${line}\n`)
const paint = (format: 'bold' | 'green' | 'red' | 'yellow', text: string) =>
  styleText(format, text, { stream: stdout })

async function runAndPrint(drill: Drill, scale: number): Promise<'passed' | 'failed' | 'skipped'> {
  print(`\n${paint('bold', drill.name)}: ${drill.description}`)
  const obstacle = drill.obstacle?.()
  if (obstacle !== undefined) {
    print(`  ${paint('yellow', 'skipped')}: ${obstacle}`)
    return 'skipped'
  }
  const progress: Context['progress'] = (done, total, what) => {
    if (stdout.isTTY) stdout.write(`\r  ${done} of ${total} ${what} `)
  }
  const findings = await runDrill(drill, scale, progress)
  if (stdout.isTTY) stdout.write('\r\x1b[K')
  return printFindings(findings) ? 'passed' : 'failed'
}

/** @returns whether all of them hold */
function printFindings(findings: readonly Finding[]): boolean {
  for (const { claim, seen, holds } of findings) {
    print(`  ${holds ? paint('green', 'pass') : paint('red', 'FAIL')}  ${claim}\n        ${seen}`)
  }
  return findings.every(({ holds }) => holds)
}

/** Runs the one drill that needs no cluster of its own. */
async function runAtEdge({ edge, cacert, scale }: AtEdge): Promise<void> {
  const ca = cacert === undefined ? undefined : readFileSync(cacert, 'utf8')
  const findings = await runBadClients({ url: new URL('/auth/livez', edge), ca }, scale)
  if (!printFindings(findings)) process.exitCode = 1
}

async function runAll(chosen: readonly string[], scale: number): Promise<void> {
  const count = { passed: 0, failed: 0, skipped: 0 }
  for (const drill of drills)
    if (chosen.length === 0 || chosen.includes(drill.name))
      count[await runAndPrint(drill, scale)] += 1
  print(`\n${count.passed} drills passed, ${count.failed} failed, ${count.skipped} skipped.`)
  if (count.failed > 0) process.exitCode = 1
}

function parseScale(text: string): number {
  const scale = Number(text)
  if (scale > 0 && scale <= 1) return scale
  throw new InvalidArgumentError('It must be a number above 0 and at most 1.')
}

const program = new Command('npm run drill --')
  .description('Causes failures on the local cluster and prints what its clients saw.')
  .addArgument(new Argument('[drills...]', 'all by default').choices(names))
  .option('--scale <number>', 'above 0 and at most 1: runs shorter drills', parseScale, 1)
  .option('--edge <url>', 'runs bad-clients against this edge, not against a local cluster')
  .option('--cacert <file>', 'authority of the certificate of that edge')
  .addHelpText('after', `\nDrills:\n${descriptions}`)
  .addHelpText('after', '\nExits with 0 if no drill failed, with 1 if one did, with 2 on an error.')
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .action(async (chosen: string[], { edge, ...options }: Partial<AtEdge> & { scale: number }) =>
    edge === undefined ? runAll(chosen, options.scale) : runAtEdge({ edge, ...options }),
  )

onNpmGone(() => process.kill(process.pid, 'SIGTERM'))
try {
  await program.parseAsync()
} catch (err) {
  process.stderr.write(`drill: ${err instanceof Error ? err.message : String(err)}\n`)
  process.exitCode = 2
}
