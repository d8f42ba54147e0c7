import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'

/** A measure against its bar, as in the table of the verifier's aims. */
export interface Measure {
  readonly what: string
  readonly result: string
  readonly bar: string
  readonly isMet: boolean
  readonly aim?: string
}

/** A bar of a plot. */
export interface Bar {
  readonly label: string
  readonly value: number
  readonly isOurs?: boolean
}

/** Prints results, and keeps them as Markdown with a plot. */
export async function report(
  name: string,
  title: string,
  measures: readonly Measure[],
  bars: readonly Bar[],
  unit: string,
): Promise<void> {
  const rows = measures.map(({ what, result, bar, aim = '', isMet }) => {
    return [what, result, bar, aim, isMet ? 'met' : '**missed**']
  })
  const absolute = bars.map(({ label, value }) => [label, `${format(value)} ${unit}`])
  const text = `# ${title}

Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, ${new Date().toISOString().slice(0, 10)}. Medians of
interleaved rounds. Ratios are taken inside a round; absolute times depend on the machine.

${table([['measure', 'result', 'bar', 'aim', ''], ...rows])}

![${title}](${name}.svg)

${table([['', 'median'], ...absolute])}
`
  console.log(text)
  const folder = new URL('results/', import.meta.url)
  await mkdir(folder, { recursive: true })
  await writeFile(new URL(`${name}.md`, folder), text)
  await writeFile(new URL(`${name}.svg`, folder), plot(title, bars, unit))
}

/** A Markdown table with its columns aligned, the first row being the head. */
function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...others] = rows
  const widths = head.map((_, i) => Math.max(3, ...rows.map((row) => row[i]?.length ?? 0)))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] as number)).join(' | ')} |`
  const rule = widths.map((width) => '-'.repeat(width))
  return [line(head), line(rule), ...others.map(line)].join('\n')
}

function plot(title: string, bars: readonly Bar[], unit: string): string {
  const [left, width, row] = [300, 760, 26]
  const height = 52 + bars.length * row
  const scale = (width - left - 90) / Math.max(...bars.map(({ value }) => value))
  const rows = bars.map(({ label, value, isOurs }, i) => {
    const y = 44 + i * row
    const length = Math.max(1, Math.round(value * scale))
    return `  <text x="${left - 8}" y="${y + 14}" text-anchor="end">${escapeXml(label)}</text>
  <rect x="${left}" y="${y}" width="${length}" height="${row - 8}" fill="${isOurs ? '#0b7285' : '#adb5bd'}"/>
  <text x="${left + length + 6}" y="${y + 14}">${format(value)}</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13" fill="#212529">
  <title>${escapeXml(title)}</title>
  <rect width="${width}" height="${height}" fill="#fff"/>
  <text x="12" y="24" font-size="15" font-weight="600">${escapeXml(title)} (${unit})</text>
${rows.join('\n')}
</svg>
`
}

function format(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 })
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
