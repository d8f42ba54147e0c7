import { ProblemError } from './problem.ts'

/** Levels a body may nest. Schemas here need three; thousands would overflow the stack. */
const maxDepth = 32

/**
 * Refuses text that Postgres cannot hold: a NUL character, or half of a surrogate pair.
 *
 * Both are valid JSON, so schemas let them through; `text` columns would answer with an error (or
 * hold something else than was sent).
 *
 * @throws ProblemError 400 `invalid_text`, also for what nests deeper than 32 levels
 */
export function refuseUnstorableText(value: unknown, depth = 0): void {
  if (typeof value === 'string') {
    if (value.includes('\0') || !value.isWellFormed()) {
      throw new ProblemError(400, 'invalid_text', 'Text has a NUL or a half character in it.')
    }
  } else if (typeof value === 'object' && value !== null) {
    if (depth === maxDepth) {
      throw new ProblemError(400, 'invalid_text', `Nests deeper than ${maxDepth} levels.`)
    }
    for (const [name, member] of Object.entries(value)) {
      refuseUnstorableText(name)
      refuseUnstorableText(member, depth + 1)
    }
  }
}
