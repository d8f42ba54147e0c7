import { type Contender, compare, measure, median, type Samples, timeTokens } from './measure.ts'
import type { Bar, Measure } from './report.ts'
import { makeTokens } from './tokens.ts'

/** How much faster latchkey is than another subject of the same rounds. */
export function faster(what: string, samples: Samples, than: string, bar: number): Measure {
  const ratio = compare(samples, than, 'latchkey')
  const result = `${ratio.toFixed(2)} × faster`
  return { what, result, bar: `${bar} × faster`, isMet: ratio >= bar }
}

export function atMost(what: string, ratio: number, bar: number): Measure {
  const result = `${ratio.toFixed(2)} × its time`
  return { what, result, bar: `${bar} × its time`, isMet: ratio <= bar }
}

/** That `name` takes no longer than `than`. Two runs of the same code differ by 5 %. */
export function notSlower(what: string, samples: Samples, name: string, than: string): Measure {
  return {
    ...atMost(`${what}, against ${than}`, compare(samples, name, than), 1.05),
    bar: 'not slower',
  }
}

/** The medians of all subjects as bars of a plot. */
export const toBars = (
  samples: Samples,
  isOurs = (name: string) => name.startsWith('latchkey'),
): Bar[] =>
  [...samples].map(([label, values]) => ({ label, value: median(values), isOurs: isOurs(label) }))

/** How many tokens a round has, and how many rounds there are. */
interface Rounds {
  readonly tokensPerRound: number
  readonly rounds: number
  readonly warmUp: number
}

/** Measures how long refusing wrong tokens takes, beside accepting right ones. */
export function measureRefusals(
  latchkey: Contender,
  accepted: (round: number) => readonly Buffer[],
  invalid: Readonly<Record<string, () => string>>,
  { tokensPerRound, rounds, warmUp }: Rounds,
): Promise<Samples> {
  const refusing = Object.entries(invalid).map(([name, make]) => {
    const tokens = makeTokens(tokensPerRound, make)
    return [name, timeTokens(latchkey, () => tokens)] as const
  })
  const accepting = timeTokens(latchkey, accepted)
  return measure({ accepting, ...Object.fromEntries(refusing) }, rounds, warmUp)
}
