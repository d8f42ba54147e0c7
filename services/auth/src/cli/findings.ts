import { styleText } from 'node:util'
import type { Finding, Level } from './doctor/finding.ts'
import { escapeControls } from './escape.ts'

const levels: readonly Level[] = ['error', 'warning', 'ok']
const colours = { error: 'red', warning: 'yellow', ok: 'green' } as const

/** The worst first. */
export const sortFindings = (findings: readonly Finding[]): Finding[] =>
  findings.toSorted((a, b) => levels.indexOf(a.level) - levels.indexOf(b.level))

/** One line each, coloured on a terminal. */
export function formatFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ code }) => code.length))
  const lines = findings.map(({ level, code, text }) => {
    const painted = styleText(colours[level], level.padEnd(7), { stream: process.stdout })
    return `${painted}  ${code.padEnd(width)}  ${escapeControls(text)}\n`
  })
  return lines.join('')
}
