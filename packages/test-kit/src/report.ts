import { styleText } from 'node:util'
import { Parser, type Result } from 'tap-parser'

/** Assertions counted over a run. A file that failed without one counts as one failure. */
export interface Counts {
  passed: number
  failed: number
  skipped: number
}

/**
 * Reads a run's TAP and prints one line a test file, with every failure and skip below it.
 *
 * @returns the stream to write the TAP to, and the counts, complete once that stream has ended
 */
export function createReport(print: (line: string) => void): { parser: Parser; counts: Counts } {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 }
  const parser = new Parser()
  parser.on('child', (file: Parser) => {
    const own: Counts = { passed: 0, failed: 0, skipped: 0 }
    const details: string[] = []
    watch(file, [], own, details)
    parser.once('assert', (result: Result) => {
      if (!result.ok && own.failed === 0) {
        own.failed = 1
        details.push(...describeFailure(['the file itself'], result))
      }
      counts.passed += own.passed
      counts.failed += own.failed
      counts.skipped += own.skipped
      const verdict = own.failed > 0 ? styleText('red', 'FAIL') : styleText('green', 'PASS')
      print(`${verdict} ${result.name} (${summarize(own)}, ${Math.round(result.time ?? 0)} ms)`)
      for (const line of details) print(`  ${line}`)
    })
  })
  return { parser, counts }
}

/** The run's closing line. */
export function summarize({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
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
