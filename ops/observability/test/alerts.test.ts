import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { findSeries } from './expression.ts'
import {
  alertsFile,
  alertTestsFile,
  readAlerts,
  readDocumentedAlerts,
  readDocumentedSeries,
} from './files.ts'
import { promtool } from './promtool.ts'

const checked = promtool('check', 'rules', alertsFile)
const lacking = checked ? false : 'promtool is missing (Debian’s package prometheus)'

t.test(
  'each rule fires and stays silent when it should, as promtool sees it',
  {
    skip: process.env.CI === 'true' ? false : lacking,
  },
  async (t) => {
    if (!checked) return t.fail(`${lacking}; in CI it must be here`)
    t.ok(checked.ok, checked.output)
    const tested = promtool('test', 'rules', alertTestsFile)
    t.ok(tested?.ok, tested?.output ?? '')
  },
)

t.test('each rule has a case in which it fires and one in which it does not', async (t) => {
  const { tests } = parse(readFileSync(alertTestsFile, 'utf8')) as {
    tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[]
  }
  const cases = tests.flatMap((test) => test.alert_rule_test)
  for (const { alert } of readAlerts()) {
    const expected = cases.filter(({ alertname }) => alertname === alert)
    t.ok(
      expected.some(({ exp_alerts }) => exp_alerts.length > 0),
      `${alert} fires`,
    )
    t.ok(
      expected.some(({ exp_alerts }) => exp_alerts.length === 0),
      `${alert} stays silent`,
    )
  }
})

t.test(
  'rules read documented metrics by documented labels, and are documented themselves',
  async (t) => {
    const documented = readDocumentedSeries()
    for (const { alert, expr, labels, annotations } of readAlerts()) {
      for (const series of findSeries(expr)) {
        t.ok(documented.has(series.name), `${alert}: ${series.name} is in docs/metrics.md`)
        for (const label of series.labels) {
          t.ok(documented.get(series.name)?.has(label), `${alert}: ${series.name} has ${label}`)
        }
      }
      t.match(labels.severity, /^(critical|warning)$/, alert)
      t.ok(annotations.summary && annotations.description, `${alert} says what to look at`)
    }
    t.strictSame(
      readDocumentedAlerts(),
      readAlerts().map(({ alert }) => alert),
    )
  },
)

t.test('an expression’s series are found whatever stands around them', async (t) => {
  t.strictSame(
    findSeries(
      'histogram_quantile(0.99, sum by (le) (rate(a_bucket{route="/x(y)",status=~"5.."}[5m]))) > 1 or absent(up{job="b"}) / sum by (le) (c offset 5m)',
    ),
    [
      { name: 'a_bucket', labels: ['le', 'le', 'route', 'status'] },
      { name: 'up', labels: ['le', 'le', 'job'] },
      { name: 'c', labels: ['le', 'le'] },
    ],
  )
})
