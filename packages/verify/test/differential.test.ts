import t from 'tap'
import { compare } from './differential.ts'

t.test(
  'of 50,000 tokens, jose, jsonwebtoken and fast-jwt accept whatever is accepted here',
  async (t) => {
    const seed = Number(process.env.LATCHKEY_FUZZ_SEED ?? Date.now() % 2 ** 31)
    const { accepted, refused, disagreements } = await compare(50_000, seed)
    t.comment(`seed ${seed}: ${accepted} accepted; refused: ${JSON.stringify([...refused])}`)
    t.strictSame(disagreements, [], `repeat with LATCHKEY_FUZZ_SEED=${seed}`)
    t.ok(accepted > 5_000, 'many were accepted')
    t.ok(refused.size >= 10, 'and others refused for every reason')
  },
)
