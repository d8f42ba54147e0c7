import { createLatchkey } from './contenders.ts'
import { makeToken, makeTokens } from './tokens.ts'

/** Megabytes that the verifier holds on to, with all garbage collected. */
export function measureMemory(): { invalid: number; cache: number } {
  return { invalid: measureInvalid(), cache: measureCache() }
}

/** Growth from the 100,000th to the 1,100,000th distinct invalid token. */
function measureInvalid(): number {
  const latchkey = createLatchkey()
  const forged = makeToken({ fault: 'foreign' })
  const forge = (i: number) => `${forged.slice(0, -10)}${String(i).padStart(9, 'A')}A`
  for (let i = 0; i < 100_000; i++) latchkey(forge(i))
  const before = usedBytes()
  for (let i = 100_000; i < 1_100_000; i++) latchkey(forge(i))
  return megabytes(usedBytes() - before)
}

/** A cache into which far more than its 10,000 tokens were put, each seen several times. */
function measureCache(): number {
  const tokens = makeTokens(30_000)
  const before = usedBytes()
  const latchkey = createLatchkey()
  for (let time = 0; time < 3; time++) {
    for (let i = 0; i < tokens.length; i += 1000) {
      const some = tokens.slice(i, i + 1000)
      for (let again = 0; again < 3; again++) {
        for (const token of some) latchkey(token.toString('latin1'))
      }
    }
  }
  const used = usedBytes() - before
  latchkey(tokens[0]?.toString('latin1') as string) // still in use
  return megabytes(used)
}

function usedBytes(): number {
  if (globalThis.gc === undefined) throw new Error('run with node --expose-gc')
  globalThis.gc()
  globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function megabytes(bytes: number): number {
  return bytes / 2 ** 20
}
