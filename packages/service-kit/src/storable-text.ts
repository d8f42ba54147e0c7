import { ProblemError } from './problem.ts'

/** Maximum nesting of a body. Schemas need three levels; thousands would overflow the stack. */
const maxDepth = 32

export const unstorableText = () =>
  new ProblemError(400, 'invalid_text', 'Text contains a NUL character or an unpaired surrogate.')

/**
 * Refuses text that Postgres cannot store: a NUL character, or an unpaired surrogate.
 *
 * Both are valid JSON, so schemas accept them. A `text` column would refuse the first and replace
 * the second.
 *
 * @throws ProblemError 400 `invalid_text`, also for more than 32 levels of nesting
 */
export function refuseUnstorableText(value: unknown, depth = 0): void {
  if (typeof value === 'string') {
    if (value.includes('\0') || !value.isWellFormed()) {
      throw unstorableText()
    }
  } else if (typeof value === 'object' && value !== null) {
    if (depth === maxDepth) {
      throw new ProblemError(
        400,
        'invalid_text',
        `The body is nested more than ${maxDepth} levels deep.`,
      )
    }
    for (const [name, member] of Object.entries(value)) {
      refuseUnstorableText(name)
      refuseUnstorableText(member, depth + 1)
    }
  }
}
