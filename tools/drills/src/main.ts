import { styleText } from 'node:util'
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import type { Context, Drill } from './drill.ts'
import { drills } from './drills.ts'
import { runDrill } from './run-drill.ts'

const { stdout } = process
const print = (line: string) => stdout.write(`${line}\n`)
const mark = (color: 'green' | 'red' | 'yellow', text: string) =>
  styleText(color, text, { stream: stdout })

async function runAndPrint(drill: Drill, scale: number): Promise<'passed' | 'failed' | 'skipped'> {
  print(`\n${styleText('bold', drill.name, { stream: stdout })}: ${drill.description}`)
  const obstacle = drill.obstacle?.()
  if (obstacle !== undefined) {
    print(`  ${mark('yellow', 'skipped')}: ${obstacle}`)
    return 'skipped'
  }
  const progress: Context['progress'] = (done, total, what) => {
    if (stdout.isTTY) stdout.write(`\r  ${done} of ${total} ${what} `)
  }
  const findings = await runDrill(drill, scale, progress)
  if (stdout.isTTY) stdout.write('\r\x1b[K')
  for (const { claim, seen, holds } of findings) {
    print(`  ${holds ? mark('green', 'pass') : mark('red', 'FAIL')}  ${claim}\n        ${seen}`)
  }
  return findings.every(({ holds }) => holds) ? 'passed' : 'failed'
}

async function runAll(chosen: readonly Drill[], scale: number): Promise<void> {
  const count = { passed: 0, failed: 0, skipped: 0 }
  for (const drill of chosen) count[await runAndPrint(drill, scale)] += 1
  print(`\n${count.passed} drills passed, ${count.failed} failed, ${count.skipped} skipped.`)
  if (count.failed > 0) process.exitCode = 1
}

function parseScale(text: string): number {
  const scale = Number(text)
  if (scale > 0 && scale <= 1) return scale
  throw new InvalidArgumentError('It must be a number above 0 and at most 1.')
}

const list = drills.map(({ name, description }) => `  ${name.padEnd(22)} ${description}`).join('\n')

const program = new Command('npm run drill --')
  .description('Causes failures on the local cluster and prints what its clients saw.')
  .addArgument(
    new Argument('[drills...]', 'the drills to run; all by default').choices(
      drills.map(({ name }) => name),
    ),
  )
  .addOption(
    new Option('--scale <number>', 'run a shorter drill: a number above 0 and at most 1')
      .argParser(parseScale)
      .default(1),
  )
  .option('--list', 'list the drills')
  .addHelpText(
    'after',
    '\nExit code: 0 if every drill passed or was skipped, 1 if one failed, 2 for an error.',
  )
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .action(async (names: string[], { scale, list: listOnly }: { scale: number; list?: true }) => {
    if (listOnly) print(list)
    else
      await runAll(
        drills.filter(({ name }) => names.length === 0 || names.includes(name)),
        scale,
      )
  })

try {
  await program.parseAsync()
} catch (err) {
  process.stderr.write(`drill: ${err instanceof Error ? err.message : String(err)}\n`)
  process.exitCode = 2
}
