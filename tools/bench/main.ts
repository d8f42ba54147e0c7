/** `npm run bench -- <name>`: runs a benchmark. `report.ts` reads `--save`. */
import { parseArgs } from 'node:util'

interface Benchmark {
  readonly description: string
  readonly parts: readonly string[]
}

const benchmarks: Readonly<Record<string, Benchmark>> = {
  verify: {
    description:
      'verifiers compared: in one process, with HS256 and ES256, and in front of a Fastify route',
    parts: ['./verify.ts', './verify-es256.ts', './verify-http.ts'],
  },
  revocations: {
    description: 'a verifier that follows a feed with a million entries',
    parts: ['./revocations.ts'],
  },
  refresh: {
    description: 'refreshes over HTTP, compared with their SQL statement alone',
    parts: ['./refresh.ts'],
  },
  accounts: {
    description:
      'plans, logins and refreshes with a million users (needs 16 GB of disk and memory)',
    parts: ['./accounts.ts'],
  },
  pages: {
    description: 'the pages of a login on the local cluster, and logins by form',
    parts: ['./pages.ts'],
  },
  enumeration: {
    description: 'answers for known and unknown addresses: whether their time differs',
    parts: ['./enumeration.ts'],
  },
}

const list = Object.entries(benchmarks).map(
  ([name, { description }]) => `  ${name.padEnd(12)} ${description}`,
)
const usage = `Usage: npm run bench -- <name> [--save]

Options:
  --save       replaces the results in tools/bench/results

Benchmarks:
${list.join('\n')}`

for (const part of chooseBenchmark().parts) await import(part)

function chooseBenchmark(): Benchmark {
  try {
    const { values, positionals } = parseArgs({
      options: { save: { type: 'boolean' }, help: { type: 'boolean' } },
      allowPositionals: true,
    })
    if (values.help) {
      console.log(usage)
      process.exit(0)
    }
    const [name = '', ...others] = positionals
    const chosen = Object.hasOwn(benchmarks, name) ? benchmarks[name] : undefined
    if (chosen && others.length === 0) return chosen
    throw new Error(
      name === '' ? 'Name a benchmark.' : `Unknown benchmark: ${positionals.join(' ')}`,
    )
  } catch (err) {
    console.error(`${(err as Error).message}\n\n${usage}`)
    process.exit(2)
  }
}
