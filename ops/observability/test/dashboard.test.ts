import t from 'tap'
import { findSeries } from './expression.ts'
import { documentedSeries, type Panel, panels } from './files.ts'

const charts = panels
  .filter(({ type }) => type !== 'row')
  .map(({ title, targets = [] }) => ({
    title,
    series: targets.flatMap((one) => findSeries(one.expr)),
  }))

t.test('every panel shows documented metrics by documented labels', async (t) => {
  for (const { title, series } of charts) {
    t.ok(series.length > 0, `${title} shows something`)
    for (const { name, labels } of series) {
      const known = documentedSeries.get(name) ?? []
      t.ok(known.length > 0, `${title}: ${name} is in docs/metrics.md`)
      t.strictSame(
        labels.filter((label) => !known.includes(label)),
        [],
        `${title}: ${name}`,
      )
    }
  }
})

t.test('every documented metric is on the dashboard', async (t) => {
  const shown = charts.flatMap(({ series }) => series.map(({ name }) => name))
  for (const name of documentedSeries.keys()) {
    if (!/_(sum|bucket)$/.test(name)) t.ok(shown.includes(name), name)
  }
})

t.test('panels have unique ids, fit the width and do not overlap', async (t) => {
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
  for (const [at, panel] of panels.entries()) {
    t.ok(panel.gridPos.x + panel.gridPos.w <= 24, `${panel.title} fits the width`)
    const over = panels.slice(at + 1).filter((other) => overlap(panel, other))
    t.strictSame(over, [], panel.title)
  }
})

function overlap({ gridPos: a }: Panel, { gridPos: b }: Panel): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
}
