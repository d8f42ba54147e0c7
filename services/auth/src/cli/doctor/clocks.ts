import { limits } from '@latchkey/verify'
import type { VerifierReport } from '../../verifiers/store.ts'
import { error, type Finding, ok, warning } from './finding.ts'

/** A clock that is further off is worth a warning, in seconds. */
const maxOffSeconds = 2
const toleranceSeconds = limits.defaultClockToleranceSeconds

/** A clock, compared with another one. */
export interface Clock {
  name: string
  comparedWith: string
  aheadSeconds: number
}

/** The clocks that verifiers and auth instances reported. */
export const clocksOf = (verifiers: readonly VerifierReport[]): Clock[] =>
  verifiers.flatMap(({ service, instance, clockAheadSeconds }) =>
    clockAheadSeconds === null
      ? []
      : [
          {
            name: `${instance} (${service})`,
            comparedWith: 'the database',
            aheadSeconds: clockAheadSeconds,
          },
        ],
  )

/**
 * Verifiers compare `iat` and `exp` with their own clock, and tolerate a difference. The clocks of
 * verifiers are measured to the second, because service tokens contain whole seconds.
 */
export function checkClocks(clocks: readonly Clock[]): Finding[] {
  const wrong = clocks.filter(({ aheadSeconds }) => Math.abs(aheadSeconds) > maxOffSeconds)
  const right = clocks.filter((clock) => !wrong.includes(clock)).map(({ name }) => name)
  return [
    ...wrong.map(describeClock),
    ...(right.length > 0
      ? [ok('clocks', `Right within ${maxOffSeconds} s, measured to 1 s: ${right.join(', ')}.`)]
      : []),
    ...(clocks.length === 0
      ? [warning('clocks_not_checked', 'No clock could be compared: see the other findings.')]
      : []),
  ]
}

function describeClock({ name, comparedWith, aheadSeconds }: Clock): Finding {
  const off = Math.round(Math.abs(aheadSeconds))
  const direction = aheadSeconds > 0 ? 'ahead of' : 'behind'
  const text =
    `The clock of ${name} is ${off} s ${direction} that of ${comparedWith}, measured to 1 s. ` +
    `Verifiers tolerate ${toleranceSeconds} s. Synchronise the clocks with NTP.`
  return off > toleranceSeconds ? error('clock_beyond_tolerance', text) : warning('clock_off', text)
}
