import { escapeControls } from './escape.ts'

/** Formats text in columns, each as wide as its widest cell. */
export function formatTable(head: string[], cells: string[][]): string {
  const rows = cells.map((row) => row.map(escapeControls))
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  return [head, ...rows]
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)))
    .map((cells) => cells.join('  ').trimEnd())
    .join('\n')
}
