import { writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { markdownTable } from 'markdown-table'

/** A result and the bar it is measured against. */
export interface Measure {
  readonly what: string
  readonly result: string
  readonly bar: string
  readonly isMet: boolean
}

/** A value that has to stay under its bar. */
export const under = (what: string, value: number, bar: number, unit: string, digits = 0) => ({
  what,
  result: `${value.toFixed(digits)} ${unit}`,
  bar: `under ${bar} ${unit}`,
  isMet: value < bar,
})

/** A ratio that has to reach its bar, in percent. */
export const atLeast = (what: string, ratio: number, bar: number) => ({
  what,
  result: `${(ratio * 100).toFixed(1)} %`,
  bar: `${bar} %`,
  isMet: ratio * 100 >= bar,
})

/** A bar of a plot. */
export interface Bar {
  readonly label: string
  readonly value: number
  readonly isOurs?: boolean
}

export interface Report {
  /** The files' name in `results/`, without extension. */
  readonly name: string
  readonly title: string
  /** How it was measured, where that is not obvious. */
  readonly method?: string
  readonly measures: readonly Measure[]
  /** Comparisons, by title. Each has a scale of its own. */
  readonly panels: Readonly<Record<string, readonly Bar[]>>
  /** The unit of the bars. */
  readonly unit: string
  /** Markdown at the end. */
  readonly appendix?: string
}

/** Prints a report. With `--save`, writes it to `results/` as Markdown with plots. */
export async function report(given: Report): Promise<void> {
  const { name, title, method = '', measures, panels, unit, appendix = '' } = given
  const rows = measures.map(({ what, result, bar, isMet }) => {
    return [what, result, bar, isMet ? 'met' : '**missed**']
  })
  const absolute = Object.entries(panels).flatMap(([panel, bars]) =>
    bars.map(({ label, value }) => [panel, label, `${format(value)} ${unit}`]),
  )
  const date = new Date().toISOString().slice(0, 10)
  const text = `# ${title}

Node ${process.version}, ${cpus()[0]?.model ?? 'unknown processor'}, ${date}. Medians of
interleaved rounds. Ratios are taken inside a round; absolute times depend on the machine.
${method && `${method}\n`}
${markdownTable([['measure', 'result', 'bar', ''], ...rows])}

![${title}](${name}.svg)

${markdownTable([['', '', 'median'], ...absolute])}
${appendix && `\n${appendix}\n`}`
  console.log(text)
  if (!process.argv.includes('--save')) {
    console.log('Not saved; --save replaces the results in tools/bench/results.')
    return
  }
  await writeFile(new URL(`results/${name}.md`, import.meta.url), text)
  await writeFile(new URL(`results/${name}.svg`, import.meta.url), plot(given))
}

/** The panels below each other. */
function plot({ title, panels, unit }: Report): string {
  let height = 36
  const drawn = Object.entries(panels).map(([panel, bars]) => {
    const top = height
    height += 24 + bars.length * rowHeight
    return `  <text x="12" y="${top + 14}" font-weight="600">${panel}</text>\n${plotBars(bars, top + 24)}`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13" fill="#212529">
  <title>${title}</title>
  <rect width="${width}" height="${height}" fill="#fff"/>
  <text x="12" y="24" font-size="15" font-weight="600">${title} (${unit})</text>
${drawn.join('\n')}
</svg>
`
}

const [left, width, rowHeight] = [220, 760, 26]

function plotBars(bars: readonly Bar[], top: number): string {
  const scale = (width - left - 90) / Math.max(...bars.map(({ value }) => value))
  const rows = bars.map(({ label, value, isOurs }, i) => {
    const y = top + i * rowHeight
    const length = Math.max(1, Math.round(value * scale))
    return `  <text x="${left - 8}" y="${y + 14}" text-anchor="end">${label}</text>
  <rect x="${left}" y="${y}" width="${length}" height="${rowHeight - 8}" fill="${isOurs ? '#0b7285' : '#adb5bd'}"/>
  <text x="${left + length + 6}" y="${y + 14}">${format(value)}</text>`
  })
  return rows.join('\n')
}

const format = (value: number) => value.toLocaleString('en', { maximumSignificantDigits: 3 })
