import type { Cluster } from '@latchkey/cluster/cluster'
import { countValues } from '@latchkey/test-kit/load'
import { type Finding, pidsOf } from './drill.ts'
import type { Action, Answer } from './traffic.ts'

export const failuresOf = (answers: readonly Answer[]): Answer[] =>
  answers.filter(({ verdict }) => verdict !== 'right')

/** A time on the clock of `performance.now`. */
export interface Period {
  readonly from: number
  readonly to: number
}

export const ofAction = (action: Action, answers: readonly Answer[]): Answer[] =>
  answers.filter((answer) => answer.action === action)

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

/** Checks that only requests under way during a period fail, and that some came after it. */
export function noneFailsOutside(
  claim: string,
  answers: readonly Answer[],
  periods: readonly Period[],
): Finding {
  const strays = failuresOf(answers).filter(
    ({ askedAt, answeredAt }) =>
      !periods.some(({ from, to }) => askedAt <= to && answeredAt >= from),
  )
  const end = periods.at(-1)?.to ?? Number.NaN
  const seen = `${summarize(answers)}; ${strays.length} failures at other times`
  return { claim, seen, holds: strays.length === 0 && answers.some(({ askedAt }) => askedAt > end) }
}

/** Checks that no answer is wrong, which has to hold in every drill. */
export function noneWrong(answers: readonly Answer[]): Finding {
  const wrong = answers.filter(({ verdict }) => verdict === 'wrong')
  const seen = wrong.length === 0 ? `0 of ${answers.length}` : summarize(wrong)
  return { claim: 'no answer is wrong', seen, holds: wrong.length === 0 && answers.length > 0 }
}

/** Checks that no client of refreshes is signed out. A client that gets another failure retries. */
export function nobodySignedOut(answers: readonly Answer[]): Finding {
  const refreshes = ofAction('refresh', answers)
  const refused = refreshes.filter(({ status }) => status === 401)
  const seen = `${refused.length} of ${refreshes.length} refreshes refused`
  const holds = refused.length === 0 && refreshes.length > 0
  return { claim: 'nobody is signed out by a refresh', seen, holds }
}

/** Checks that every instance is still the same process. */
export function noRestart(cluster: Cluster, before: readonly (number | undefined)[]): Finding {
  const after = pidsOf(cluster)
  const restarted = cluster.instances.filter((_, i) => after[i] !== before[i])
  const seen = restarted.map(({ name }) => name).join(', ') || '0 restarts'
  return { claim: 'no process is restarted', seen, holds: restarted.length === 0 }
}
