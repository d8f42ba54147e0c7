// A process of its own that prints how many hashes the processors can check per second.
import { availableParallelism } from 'node:os'
import { hash, verify } from '@node-rs/argon2'

const [milliseconds = 0, memoryCost = 0, timeCost = 0] = process.argv.slice(2).map(Number)
const known = await hash('correct horse battery', { memoryCost, timeCost, parallelism: 1 })
const start = performance.now()
let done = 0
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    while (performance.now() < start + milliseconds) {
      await verify(known, 'correct horse battery')
      done += 1
    }
  }),
)
// By the time it really took: the last hashes end a little late.
process.stdout.write(String(done / ((performance.now() - start) / 1_000)))
