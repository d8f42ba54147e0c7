import { startPostgres } from '@latchkey/test-kit/postgres'
import { Command, InvalidArgumentError } from 'commander'
import { fuzzApi } from './fuzz-api.ts'

const parseNumber = (text: string) => {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It is not a whole number.')
  return Number(text)
}

const { requests, seed } = new Command('npm run fuzz:api --')
  .description('Sends requests generated from the OpenAPI description to an auth service.')
  .option('--requests <number>', 'how many', parseNumber, 10_000)
  .option('--seed <number>', 'of an earlier run, to repeat it', parseNumber, Date.now() % 2 ** 31)
  .allowExcessArguments(false)
  .parse()
  .opts<{ requests: number; seed: number }>()

console.log(
  `${requests.toLocaleString('en')} requests; repeat with: npm run fuzz:api -- --requests ${requests} --seed ${seed}`,
)
const cleanUps: (() => unknown)[] = []
const cleanUp = async () => {
  for (const clean of cleanUps.splice(0)) await clean()
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void cleanUp().finally(() => process.exit(1)))
}
const scope = { teardown: (clean: () => unknown) => cleanUps.unshift(clean) }
const postgres = await startPostgres()
cleanUps.push(postgres.stop)
process.env.LATCHKEY_TEST_DATABASE_URL = postgres.url
try {
  const started = Date.now()
  let done = 0
  const { operations, counts, successes, faults } = await fuzzApi(scope, {
    requests,
    seed,
    onAnswer() {
      done += 1
      if (done % 1_000 === 0) console.error(`${done.toLocaleString('en')} done`)
    },
  })
  console.log(`${Math.round((Date.now() - started) / 1_000)} s`)
  for (const [kind, byStatus] of counts) {
    const parts = [...byStatus].sort(([a], [b]) => a - b).map(([status, n]) => `${status}: ${n}`)
    console.log(`${kind}: ${parts.join(', ')}`)
  }
  console.log('successful valid requests by operation:')
  for (const { id } of operations) console.log(`  ${id}: ${successes.get(id) ?? 0}`)
  for (const fault of faults) console.error(fault)
  console.log(`faults: ${faults.length}`)
  process.exitCode = faults.length === 0 ? 0 : 1
} finally {
  await cleanUp()
}
