import t from 'tap'
import { compare } from './differential.ts'
import { es256, hs256 } from './tokens.ts'

for (const [signing, count] of [
  [hs256, 50_000],
  [es256, 5_000],
] as const) {
  t.test(
    `${signing.alg}: other libraries accept what we accept of ${count} tokens; the fetch entry agrees`,
    async (t) => {
      const seed = Number(process.env.LATCHKEY_FUZZ_SEED ?? Date.now() % 2 ** 31)
      const { accepted, refused, disagreements } = await compare(signing, {
        count,
        seed,
        fetchEvery: 10,
      })
      t.comment(`seed ${seed}: ${accepted} accepted; refused: ${JSON.stringify([...refused])}`)
      t.strictSame(disagreements, [], `repeat with LATCHKEY_FUZZ_SEED=${seed}`)
      t.ok(accepted > count / 10, 'many are accepted')
      t.ok(refused.size >= 10, 'others are refused for every reason')
    },
  )
}
