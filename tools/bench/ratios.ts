import { compare, median, type Samples } from './measure.ts'
import type { Bar, Measure } from './report.ts'

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
