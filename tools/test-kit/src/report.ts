import { styleText } from 'node:util'
import { Parser, type Result } from 'tap-parser'

/** Assertions counted over a run. A file that fails without one counts as one failure. */
export interface Counts {
  passed: number
  failed: number
  skipped: number
}

const none: Counts = { passed: 0, failed: 0, skipped: 0 }

/**
 * Reads a run's TAP and prints one line a test file, with every failure and skip below it.
 *
 * @returns the stream to write the TAP to, and the counts, complete once that stream has ended
 */
export function createReport(print: (line: string) => void): { parser: Parser; counts: Counts } {
  const total = { ...none }
  const parser = new Parser()
  let file = { counts: { ...none }, details: [] as string[] }
  parser.on('child', (child: Parser) => watch(child, [], file.counts, file.details))
  // A file's own test point closes it, also when it ended before its first assertion.
  parser.on('assert', (result: Result) => {
    const { counts, details } = file
    file = { counts: { ...none }, details: [] }
    if (result.skip && result.skip !== 'no tests found') {
      counts.skipped += 1
      details.push(`skipped: ${result.skip}`)
    } else if (counts.failed === 0 && !result.ok) {
      counts.failed += 1
      details.push(...describeFailure(['the file did not run to its end'], result))
    } else if (counts.passed + counts.failed + counts.skipped === 0) {
      counts.failed += 1
      details.push('not ok: no test in it')
    }
    total.passed += counts.passed
    total.failed += counts.failed
    total.skipped += counts.skipped
    const verdict = counts.failed > 0 ? styleText('red', 'FAIL') : styleText('green', 'PASS')
    print(`${verdict} ${result.name} (${summarize(counts)}, ${Math.round(result.time ?? 0)} ms)`)
    for (const line of details) print(`  ${line}`)
  })
  return { parser, counts: total }
}

/** The run's closing line; what was skipped is told before. */
export function summarize({ passed, failed }: Counts): string {
  return `${passed} passed, ${failed} failed`
}

function watch(parser: Parser, path: string[], counts: Counts, details: string[]): void {
  parser.on('child', (child: Parser) => watch(child, [...path, child.name], counts, details))
  parser.on('assert', (result: Result) => {
    if (result.closingTestPoint) return
    if (result.skip || result.todo) {
      counts.skipped += 1
      const why = result.skip || result.todo
      details.push(`skipped: ${[...path, result.name].join(' > ')} (${why})`)
    } else if (result.ok) {
      counts.passed += 1
    } else {
      counts.failed += 1
      details.push(...describeFailure([...path, result.name], result))
    }
  })
}

function describeFailure(path: string[], { diag }: Result): string[] {
  const { at, diff, message, found, wanted, stack, exitCode, signal } = diag ?? {}
  const where = at?.fileName ? ` (${at.fileName}:${at.lineNumber})` : ''
  const lines = [styleText('red', `not ok: ${path.join(' > ')}${where}`)]
  const add = (label: string, value: unknown) => {
    if (value === undefined || value === null) return
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    lines.push(
      ...`${label}${text}`
        .trimEnd()
        .split('\n')
        .map((line) => `    ${line}`),
    )
  }
  add('', message)
  add('', diff)
  if (diff === undefined) add('found: ', found)
  if (diff === undefined) add('wanted: ', wanted)
  if (message !== undefined || diff === undefined) add('', stack)
  add('exit code: ', exitCode)
  add('signal: ', signal)
  return lines
}
