import type { Contender } from './contenders.ts'

/** One thing to be measured: a contender and the tokens of each round. */
export interface Subject {
  readonly name: string
  readonly contender: Contender
  /** Tokens of a round, by its number. */
  readonly tokens: (round: number) => readonly Buffer[]
}

/** Strings made at a time: about 25 KB. */
const CHUNK = 50

/** Nanoseconds a token, for each round. */
export type Timings = ReadonlyMap<string, readonly number[]>

/**
 * Times subjects in turn, round by round, in another order each time: what else the machine does, and the garbage
 * that one leaves to the next, hits all of them alike. The first rounds, while code is being compiled, are thrown away.
 */
export async function measure(
  subjects: readonly Subject[],
  rounds: number,
  warmUpRounds: number,
): Promise<Timings> {
  const timings = new Map(subjects.map(({ name }) => [name, [] as number[]]))
  for (let round = 0; round < warmUpRounds + rounds; round++) {
    for (const { name, contender, tokens } of shuffle(subjects)) {
      const nanoseconds = await time(contender, tokens(round))
      if (round >= warmUpRounds) timings.get(name)?.push(nanoseconds)
    }
  }
  return timings
}

/**
 * Times calls, each with a string that was made just before, as an HTTP parser makes one: not hashed yet, and
 * still in the processor's cache. Making them is not timed.
 */
async function time(contender: Contender, tokens: readonly Buffer[]): Promise<number> {
  let nanoseconds = 0n
  for (let i = 0; i < tokens.length; i += CHUNK) {
    const strings = tokens.slice(i, i + CHUNK).map((token) => token.toString('latin1'))
    const started = process.hrtime.bigint()
    for (const token of strings) {
      const result = contender(token)
      if (result instanceof Promise) await result
    }
    nanoseconds += process.hrtime.bigint() - started
  }
  return Number(nanoseconds) / tokens.length
}

/** The same values in a random order. */
export function shuffle<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ value }) => value)
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] as number
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2
}

/** The median, over rounds, of how many times as long as `b` the subject `a` took. */
export function ratio(timings: Timings, a: string, b: string): number {
  const [as = [], bs = []] = [timings.get(a), timings.get(b)]
  return median(as.map((value, round) => value / (bs[round] as number)))
}
