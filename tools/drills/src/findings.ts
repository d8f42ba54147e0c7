import { countValues } from '@latchkey/test-kit/load'
import type { Finding } from './drill.ts'
import type { Answer } from './traffic.ts'

/** The answers that are not right. */
export const failuresOf = (answers: readonly Answer[]): Answer[] =>
  answers.filter(({ verdict }) => verdict !== 'right')

/** Describes failures: `3 of 812 failed (2 × 502, 1 × no answer)`. */
export function summarize(answers: readonly Answer[]): string {
  const failures = failuresOf(answers).map(
    ({ status, verdict }) => `${status || 'no answer'}${verdict === 'wrong' ? ' WRONG' : ''}`,
  )
  const detail = formatCounts(countValues(failures))
  return `${failures.length} of ${answers.length} failed${detail && ` (${detail})`}`
}

export const formatCounts = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .map(([value, count]) => `${count} × ${value}`)
    .join(', ')

/** Checks that there were answers and that all are right. */
export const noneFails = (claim: string, answers: readonly Answer[], note = ''): Finding => ({
  claim,
  seen: summarize(answers) + note,
  holds: answers.length > 0 && failuresOf(answers).length === 0,
})

/** Checks that no answer is wrong, which has to hold in every drill. */
export function noneWrong(answers: readonly Answer[]): Finding {
  const wrong = answers.filter(({ verdict }) => verdict === 'wrong')
  return {
    claim: 'no answer is wrong',
    seen: wrong.length === 0 ? `0 of ${answers.length}` : summarize(wrong),
    holds: wrong.length === 0 && answers.length > 0,
  }
}

/** A time on the clock of `performance.now`. */
export interface Period {
  readonly from: number
  readonly to: number
}

/** The failures of requests that were not under way during any of the periods. */
export const failuresOutside = (answers: readonly Answer[], periods: readonly Period[]): Answer[] =>
  failuresOf(answers).filter(
    ({ askedAt, answeredAt }) =>
      !periods.some(({ from, to }) => askedAt <= to && answeredAt >= from),
  )
