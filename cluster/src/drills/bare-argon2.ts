// A process of its own: as many hashes as the processors give, with nothing around them.
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'

// The very build that the auth service uses.
const root = resolve(import.meta.dirname, '../../..')
const { hash, verify } = createRequire(join(root, 'services/auth/package.json'))('@node-rs/argon2')

const [milliseconds, memoryCost, timeCost] = process.argv.slice(2).map(Number)
const known = await hash('correct horse battery', { memoryCost, timeCost, parallelism: 1 })
const end = performance.now() + (milliseconds ?? 0)
let done = 0
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    while (performance.now() < end) {
      await verify(known, 'correct horse battery')
      done += 1
    }
  }),
)
process.stdout.write(String(done))
