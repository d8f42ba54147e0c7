import t from 'tap'
import { findSeries } from './expression.ts'
import { type Panel, readDashboard, readDocumentedSeries } from './files.ts'

const { panels } = readDashboard()
const charts = panels.filter(({ type }) => type !== 'row')

t.test('every panel asks for documented metrics by documented labels', async (t) => {
  const documented = readDocumentedSeries()
  for (const { title, targets = [] } of charts) {
    t.ok(targets.length > 0, `${title} asks for something`)
    for (const series of targets.flatMap(({ expr }) => findSeries(expr))) {
      t.ok(documented.has(series.name), `${title}: ${series.name} is in docs/metrics.md`)
      for (const label of series.labels) {
        t.ok(documented.get(series.name)?.has(label), `${title}: ${series.name} has ${label}`)
      }
    }
  }
})

t.test('every documented metric of ours is on the dashboard', async (t) => {
  const shown = new Set(
    charts.flatMap(({ targets = [] }) =>
      targets.flatMap(({ expr }) => findSeries(expr).map(({ name }) => name)),
    ),
  )
  for (const name of readDocumentedSeries().keys()) {
    if (/_(sum|bucket)$/.test(name)) continue
    t.ok(shown.has(name), name)
  }
})

t.test('panels have their own numbers and places', async (t) => {
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
  for (const [at, panel] of panels.entries()) {
    t.ok(panel.gridPos.x + panel.gridPos.w <= 24, `${panel.title} fits the width`)
    const over = panels.slice(at + 1).filter((other) => overlap(panel, other))
    t.strictSame(over, [], `nothing lies over ${panel.title}`)
  }
})

function overlap({ gridPos: a }: Panel, { gridPos: b }: Panel): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
}
