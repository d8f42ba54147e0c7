/** `error`: broken, or about to break. `warning`: works, with a risk. `ok`: checked and right. */
export type Level = 'error' | 'warning' | 'ok'

/** One thing that a check found. */
export interface Finding {
  level: Level
  /** Stable, for scripts. */
  code: string
  /** What was found and, unless it is `ok`, what to do. */
  text: string
}

export const error = (code: string, text: string): Finding => ({ level: 'error', code, text })
export const warning = (code: string, text: string): Finding => ({ level: 'warning', code, text })
export const ok = (code: string, text: string): Finding => ({ level: 'ok', code, text })

/** Whether a finding needs the operator. */
export const isFault = ({ level }: Finding): boolean => level !== 'ok'

/** Runs a check. One that fails is a finding, and the others continue. */
export async function tryCheck(
  subject: string,
  check: () => Finding[] | Promise<Finding[]>,
): Promise<Finding[]> {
  try {
    return await check()
  } catch (err) {
    const text = `The ${subject} could not be checked: ${messageOf(err)}.`
    return [warning(`${subject}_not_checked`, text)]
  }
}

export const messageOf = (err: unknown): string =>
  err instanceof Error ? err.message : String(err)
