import t from 'tap'
import { compare } from './differential.ts'

t.test(
  'other libraries accept what we accept of 50,000 tokens; the fetch entry agrees',
  async (t) => {
    const seed = Number(process.env.LATCHKEY_FUZZ_SEED ?? Date.now() % 2 ** 31)
    const { accepted, refused, disagreements } = await compare(50_000, seed, 10)
    t.comment(`seed ${seed}: ${accepted} accepted; refused: ${JSON.stringify([...refused])}`)
    t.strictSame(disagreements, [], `repeat with LATCHKEY_FUZZ_SEED=${seed}`)
    t.ok(accepted > 5_000, 'many are accepted')
    t.ok(refused.size >= 10, 'others are refused for every reason')
  },
)
