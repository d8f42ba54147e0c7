// A process of its own: as many hashes as the processors give, with nothing around them.
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
// A second of what it really took: the last hashes are over a little later.
process.stdout.write(String(done / ((performance.now() - start) / 1_000)))
