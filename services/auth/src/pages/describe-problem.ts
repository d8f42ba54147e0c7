import type { ProblemError } from '@latchkey/service-kit'
import type { Facts, Texts } from './texts/en.ts'

/** A problem as a page shows it. */
export interface PageProblem {
  /** In the language of the page. */
  sentence: string
  /** The names of the form's fields that have to be corrected. */
  fields: readonly string[]
}

/** The fields that a problem is about, by its code. */
const fieldsOf: Readonly<Record<string, readonly string[]>> = {
  code_invalid: ['code'],
  email_taken: ['email'],
  invalid_credentials: ['email', 'password'],
  password_breached: ['password'],
  password_common: ['password'],
  password_contains_email: ['password'],
  password_contains_product: ['password'],
  password_too_short: ['password'],
  wrong_password: ['current_password'],
}

/**
 * Describes a problem to a person.
 *
 * @param retryAfter the value of `Retry-After`, in seconds
 */
export function describeProblem(
  problem: ProblemError,
  texts: Texts,
  { retryAfter, ...limits }: Omit<Facts, 'wait'> & { retryAfter: unknown },
): PageProblem {
  const { statusCode, errors = [] } = problem
  const code = codeOf(problem)
  const facts = { ...limits, wait: formatWait(Number(retryAfter) || 1, texts.language) }
  const field = errors.map(({ path }) => path.replace(/^\/body\/?/, '')).find(Boolean)
  const invalid = find(texts.invalidFields, field ?? missingField(errors[0]?.message))
  if (invalid) return { sentence: invalid.describe(facts), fields: [invalid.name] }
  const known = find(texts.problems, code)
  const other = statusCode < 500 ? texts.badRequest : texts.unavailable
  return { sentence: known?.describe(facts) ?? other, fields: fieldsOf[code] ?? [] }
}

/** Not 401: only the password was typed, because the account is known. */
const codeOf = ({ code, statusCode }: ProblemError) =>
  code === 'invalid_credentials' && statusCode === 403 ? 'wrong_password' : code

type Describe = (facts: Facts) => string

function find(sentences: Readonly<Record<string, Describe>>, name: string | undefined) {
  const describe =
    name !== undefined && Object.hasOwn(sentences, name) ? sentences[name] : undefined
  return name !== undefined && describe ? { name, describe } : undefined
}

/** The member that the validation of a body misses. */
const missingField = (message = '') => /required property '(\w+)'/.exec(message)?.[1]

/** A time to wait, in seconds up to 90, otherwise in minutes. */
function formatWait(seconds: number, language: string): string {
  const [count, unit] = seconds <= 90 ? [seconds, 'second'] : [Math.ceil(seconds / 60), 'minute']
  return new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(count)
}
