/** Measures once, in the round of this number. */
export type Measurement = (round: number) => Promise<number>

/** The value of each round, by subject. */
export type Samples = ReadonlyMap<string, readonly number[]>

/**
 * Measures subjects in turn, round by round, in another order each time: other work on the machine,
 * and the garbage that one subject leaves to the next, affects all alike. The first rounds, in
 * which code is compiled, are dropped.
 */
export async function measure(
  subjects: Readonly<Record<string, Measurement>>,
  rounds: number,
  warmUpRounds: number,
): Promise<Samples> {
  const names = Object.keys(subjects)
  const samples = new Map(names.map((name) => [name, [] as number[]]))
  for (let round = 0; round < warmUpRounds + rounds; round += 1) {
    for (const name of names.toSorted(() => Math.random() - 0.5)) {
      const value = (await subjects[name]?.(round)) ?? Number.NaN
      if (round >= warmUpRounds) samples.get(name)?.push(value)
    }
  }
  return samples
}

/** Does something with a token; the result is ignored. */
export type Contender = (token: string) => unknown

/** Strings made together: about 25 KB, which stays in the processor's cache. */
const chunkSize = 50

/**
 * Measures nanoseconds per token. Each string is made just before its call, as an HTTP parser makes
 * it, so that it is not hashed yet. Making strings is not timed.
 */
export const timeTokens =
  (contender: Contender, tokensOf: (round: number) => readonly Buffer[]): Measurement =>
  async (round) => {
    const tokens = tokensOf(round)
    let nanoseconds = 0n
    for (let i = 0; i < tokens.length; i += chunkSize) {
      const strings = tokens.slice(i, i + chunkSize).map((token) => token.toString('latin1'))
      const started = process.hrtime.bigint()
      for (const token of strings) {
        const result = contender(token)
        if (result instanceof Promise) await result
      }
      nanoseconds += process.hrtime.bigint() - started
    }
    return Number(nanoseconds) / tokens.length
  }

export function median(values: readonly number[] = []): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const [lower = Number.NaN, upper = lower] = sorted.slice(Math.ceil(middle) - 1, middle + 1)
  return (lower + upper) / 2
}

/** The median of `a / b`, or of another combination of the two, in each round. */
export function compare(
  samples: Samples,
  a: string,
  b: string,
  combine = (x: number, y: number) => x / y,
): number {
  const others = samples.get(b) ?? []
  return median(samples.get(a)?.map((value, round) => combine(value, others[round] ?? Number.NaN)))
}
