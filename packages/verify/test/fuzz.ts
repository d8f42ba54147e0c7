import { parseArgs } from 'node:util'
import { compare } from './differential.ts'
import { es256, hs256 } from './tokens.ts'

const usage =
  'Usage: npm run fuzz -- [--alg HS256|ES256] [--tokens 1000000] [--fetch 100000] [--seed 1]'
const values = parseFlags()
if (values.help) {
  console.log(usage)
  process.exit(0)
}
const tokens = Number(values.tokens)
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
const fetchTokens = Number(values.fetch)
const signing = [hs256, es256].find(({ alg }) => alg === values.alg)
if (
  signing === undefined ||
  ![tokens, fetchTokens].every((n) => Number.isInteger(n) && n > 0) ||
  !Number.isInteger(seed)
) {
  console.error(usage)
  process.exit(2)
}

console.log(
  `${tokens.toLocaleString('en')} tokens; repeat with: npm run fuzz -- --alg ${values.alg} --seed ${seed}`,
)
const started = Date.now()
const fetchEvery = Math.max(1, Math.floor(tokens / fetchTokens))
const result = await compare(signing, { count: tokens, seed, fetchEvery }, showProgress)
if (process.stderr.isTTY) process.stderr.write('\n')

console.log(`accepted by all: ${result.accepted}`)
for (const [code, count] of [...result.refused].sort((a, b) => b[1] - a[1])) {
  console.log(`refused, ${code}: ${count}`)
}
console.log(`compared with the fetch entry: ${result.compared}`)
for (const { token, library, detail } of result.disagreements) {
  console.error(`${library} disagrees: ${detail}\n  ${JSON.stringify(token)}`)
}
console.log(`disagreements: ${result.disagreements.length}`)
process.exitCode = result.disagreements.length === 0 ? 0 : 1

function parseFlags() {
  const tokens = { type: 'string', default: '1000000' } as const
  const fetch = { type: 'string', default: '100000' } as const
  try {
    const alg = { type: 'string', default: 'HS256' } as const
    return parseArgs({
      options: { alg, tokens, fetch, seed: { type: 'string' }, help: { type: 'boolean' } },
    }).values
  } catch (err) {
    console.error(`${(err as Error).message}\n${usage}`)
    process.exit(2)
  }
}

/** Shows a progress bar in a terminal, elsewhere a line for every tenth. */
function showProgress(done: number): void {
  const secondsLeft = Math.round(((Date.now() - started) / 1000 / done) * (tokens - done))
  if (process.stderr.isTTY) {
    const bar = '█'.repeat(Math.round((30 * done) / tokens)).padEnd(30, '░')
    process.stderr.write(`\r${bar} ${done.toLocaleString('en')} · ${secondsLeft} s left   `)
  } else if (done % Math.ceil(tokens / 10) < 1000) {
    console.error(`${done.toLocaleString('en')} done, ${secondsLeft} s left`)
  }
}
