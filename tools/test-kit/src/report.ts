import { styleText } from 'node:util'
import type { Result } from 'tap-parser'

/** A finished test file. A file that fails without a failed assertion counts as one failure. */
export interface FileReport {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** The verdict, followed by every failure and skip. */
  readonly lines: readonly string[]
}

/** What tap knows about a file when it ends. */
export interface TestFile {
  readonly name: string
  readonly time: number | null
  readonly counts: { readonly pass: number; readonly fail: number }
  readonly lists: { readonly fail: Result[]; readonly skip: Result[]; readonly todo: Result[] }
  readonly results?: { readonly ok: boolean }
  readonly options: { exitCode?: number | null; signal?: string | null; skip?: unknown }
}

/** Describes a test file that has ended. */
export function describeFile(file: TestFile): FileReport {
  const { name, time, counts, lists, results, options } = file
  const titleOf = ({ fullname }: Result) => fullname.replace(`${name} > `, '')
  const skips = [...lists.skip, ...lists.todo].map(
    (result) => `${titleOf(result)} (${result.skip || result.todo})`,
  )
  const failures = lists.fail.flatMap((result) => describeFailure(titleOf(result), result.diag))
  if (failures.length === 0 && results?.ok !== true) {
    const exit = options.signal ? `signal: ${options.signal}` : `exit code: ${options.exitCode}`
    failures.push(fail('the file did not run to its end'), indent(exit))
  } else if (options.skip && options.skip !== 'no tests found') {
    skips.push(String(options.skip))
  } else if (counts.pass + counts.fail + skips.length === 0) {
    failures.push(fail('the file contains no test'))
  }
  const failed = failures.length > 0 ? Math.max(1, counts.fail) : 0
  const verdict = failed > 0 ? styleText('red', 'FAIL') : styleText('green', 'PASS')
  const summary = `${counts.pass} passed, ${failed} failed, ${Math.round(time ?? 0)} ms`
  return {
    passed: counts.pass,
    failed,
    skipped: skips.length,
    lines: [
      `${verdict} ${name} (${summary})`,
      ...failures,
      ...skips.map((skip) => `  skipped: ${skip}`),
    ],
  }
}

function describeFailure(title: string, diag: Result['diag']): string[] {
  const { at, diff, message, found, wanted, stack } = diag ?? {}
  const values = diff === undefined ? { found, wanted } : {}
  const details = [
    message,
    diff,
    ...Object.entries(values).map(([label, value]) =>
      value === undefined ? '' : `${label}: ${JSON.stringify(value)}`,
    ),
    stack,
  ]
  const where = at?.fileName ? ` (${at.fileName}:${at.lineNumber})` : ''
  return [fail(`${title}${where}`), ...details.filter(Boolean).map(indent)]
}

const fail = (text: string) => `  ${styleText('red', `not ok: ${text}`)}`
const indent = (text: string) => text.trimEnd().replaceAll(/^/gm, '      ')
