import { ProblemError } from './problem.ts'

/**
 * Refuses text that Postgres cannot hold: a NUL character, or half of a surrogate pair.
 *
 * Both are valid JSON, so schemas let them through; `text` columns would answer with an error (or
 * hold something else than was sent).
 */
export function refuseUnstorableText(value: unknown): void {
  if (typeof value === 'string') {
    if (value.includes('\0') || !value.isWellFormed()) {
      throw new ProblemError(400, 'invalid_text', 'Text has a NUL or a half character in it.')
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      refuseUnstorableText(name)
      refuseUnstorableText(member)
    }
  }
}
