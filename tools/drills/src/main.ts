import { parseArgs, styleText } from 'node:util'
import type { Drill, Stage } from './drill.ts'
import { drills } from './index.ts'
import { play } from './play.ts'

const help = `Brings failures about on the local cluster, and shows what clients saw.

  npm run drill                     all drills, one after another
  npm run drill -- NAME …           these
  npm run drill -- --list           what there is
  npm run drill -- --scale 0.1 …    a shorter run

Exit code 0: everything that was played held. 1: something did not.`

const { stdout } = process
const say = (line: string) => stdout.write(`${line}\n`)

/** How a drill ended. */
type Outcome = 'held' | 'broke' | 'not played'

async function playAloud(drill: Drill, scale: number): Promise<Outcome> {
  say(`\n${styleText('bold', drill.name, { stream: stdout })}: ${drill.what}`)
  const obstacle = drill.obstacle?.()
  if (obstacle !== undefined) {
    say(`  ${styleText('yellow', 'not played', { stream: stdout })}  ${obstacle}`)
    return 'not played'
  }
  const progress: Stage['progress'] = (done, of, what) => {
    if (stdout.isTTY) stdout.write(`\r  ${done} of ${of} ${what} `)
  }
  const findings = await play(drill, scale, progress)
  if (stdout.isTTY) stdout.write('\r\x1b[K')
  for (const { claim, seen, holds } of findings) {
    const mark = styleText(holds ? 'green' : 'red', holds ? 'held ' : 'BROKE', { stream: stdout })
    say(`  ${mark}  ${claim}\n         ${seen}`)
  }
  return findings.every(({ holds }) => holds) ? 'held' : 'broke'
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      help: { type: 'boolean', short: 'h' },
      list: { type: 'boolean' },
      scale: { type: 'string', default: '1' },
    },
    allowPositionals: true,
  })
  if (values.help || values.list) {
    if (values.help) say(help)
    for (const { name, what } of drills) say(`  ${name.padEnd(22)} ${what}`)
    return 0
  }
  const scale = Number(values.scale)
  if (!(scale > 0 && scale <= 1)) throw new Error('--scale takes a number above 0, at most 1')
  const unknown = positionals.find((name) => !drills.some((drill) => drill.name === name))
  if (unknown !== undefined) throw new Error(`there is no drill "${unknown}"; see --list`)
  const chosen = drills.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  const outcomes: Outcome[] = []
  for (const drill of chosen) outcomes.push(await playAloud(drill, scale))
  const count = (outcome: Outcome) => outcomes.filter((one) => one === outcome).length
  const unplayed = count('not played')
  const aside = unplayed === 0 ? '' : `, ${unplayed} not played`
  say(`\n${count('held')} of ${chosen.length} drills held${aside}.`)
  return count('broke') === 0 ? 0 : 1
}

try {
  process.exitCode = await main()
} catch (err) {
  process.stderr.write(`drill: ${err instanceof Error ? err.message : String(err)}\n`)
  process.exitCode = 2
}
