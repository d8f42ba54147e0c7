import { createLatchkey } from './contenders.ts'
import { makeToken, makeTokens } from './tokens.ts'

/** Growth in MB from the 100,000th to the 1,100,000th distinct invalid token. */
export function measureInvalidTokens(): number {
  const latchkey = createLatchkey()
  const forged = makeToken({ fault: 'foreign' })
  const checkForged = (from: number, to: number) => {
    for (let i = from; i < to; i += 1)
      latchkey(`${forged.slice(0, -10)}${String(i).padStart(9, 'A')}A`)
  }
  checkForged(0, 100_000)
  const before = usedBytes()
  checkForged(100_000, 1_100_000)
  return (usedBytes() - before) / 2 ** 20
}

/** The size in MB of a full cache: of 10,000 tokens, after 30,000 were each seen several times. */
export function measureFullCache(): number {
  const tokens = makeTokens(30_000)
  const before = usedBytes()
  const latchkey = createLatchkey()
  for (let pass = 0; pass < 3; pass += 1) {
    for (let i = 0; i < tokens.length; i += 1_000) {
      const some = tokens.slice(i, i + 1_000)
      for (let again = 0; again < 3; again += 1)
        for (const token of some) latchkey(token.toString('latin1'))
    }
  }
  const used = usedBytes() - before
  latchkey(String(tokens[0])) // Keeps the verifier alive until here.
  return used / 2 ** 20
}

function usedBytes(): number {
  if (globalThis.gc === undefined) throw new Error('Run with node --expose-gc.')
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
