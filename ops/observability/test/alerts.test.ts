import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { execaSync } from 'execa'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { findSeries } from './expression.ts'
import { alerts, alertsFile, documentedAlerts, documentedSeries, services } from './files.ts'

interface Case {
  readonly eval_time: string
  readonly alertname: string
  readonly exp_alerts: { exp_labels: object; exp_annotations?: object }[]
}

/** Whether all instances of a service, or all its series, are missing: then it is down. */
function serviceDownTests() {
  const up = (job: string, values: string, instance = 'a') => {
    return { series: `up{job="${job}",instance="${instance}"}`, values }
  }
  const test = (name: string, input_series: object[], exp_alerts: Case['exp_alerts']) => {
    const rule = { eval_time: '5m', alertname: 'LatchkeyServiceDown', exp_alerts }
    return { name, input_series, alert_rule_test: [rule] }
  }
  const partial = services.flatMap((job) => [up(job, '1x40'), up(job, '0x40', 'b')])
  const failing = services.flatMap((service) => {
    const summary = `All instances of ${service} are down`
    const exp_labels = { severity: 'critical', job: service }
    const expected = [{ exp_labels, exp_annotations: { summary } }]
    const others = services.filter((job) => job !== service).map((job) => up(job, '1x40'))
    return [
      test(
        `${service} is down`,
        [...others, up(service, '0x40'), up(service, '0x40', 'b')],
        expected,
      ),
      test(`${service} is not scraped`, others, expected),
    ]
  })
  return [test('one instance of each service is down', partial, []), ...failing]
}

const written = parse(readFileSync(join(import.meta.dirname, 'alerts.test.yml'), 'utf8'))
const tests: { alert_rule_test: Case[] }[] = [...written.tests, ...serviceDownTests()]
const cases = tests.flatMap((test) => test.alert_rule_test)
for (const { alertname, exp_alerts } of cases) {
  const description = alerts.find(({ alert }) => alert === alertname)?.annotations.description
  for (const one of exp_alerts) one.exp_annotations = { ...one.exp_annotations, description }
}

const promtool = (...args: string[]) => execaSync('promtool', args, { reject: false, all: true })
const isMissing = promtool('--version').code === 'ENOENT'
const skip = isMissing && process.env.CI !== 'true' && 'promtool is missing (Debian: prometheus)'

t.test('promtool: each rule fires and stays silent as expected', { skip }, async (t) => {
  const folder = t.testdir({
    'tests.yml': stringify({
      rule_files: [alertsFile],
      evaluation_interval: '15s',
      tests: tests.map((test) => ({ interval: '15s', ...test })),
    }),
  })
  for (const args of [
    ['check', 'rules', alertsFile],
    ['test', 'rules', join(folder, 'tests.yml')],
  ]) {
    const { exitCode, all } = promtool(...args)
    t.equal(exitCode, 0, all)
  }
})

t.test('each rule has a case in which it fires and one in which it does not', async (t) => {
  for (const { alert } of alerts) {
    const counts = cases
      .filter((one) => one.alertname === alert)
      .map((one) => one.exp_alerts.length)
    t.ok(
      counts.some((count) => count > 0),
      `${alert} fires`,
    )
    t.ok(counts.includes(0), `${alert} stays silent`)
  }
})

t.test('rules use documented metrics and labels, and are documented themselves', async (t) => {
  for (const { alert, expr, labels, annotations } of alerts) {
    for (const series of findSeries(expr)) {
      const known = documentedSeries.get(series.name) ?? []
      const unknown = series.labels.filter((label) => !known.includes(label))
      t.strictSame(unknown, [], `${alert}: ${series.name}`)
      t.ok(known.length > 0, `${alert}: ${series.name} is in docs/metrics.md`)
    }
    t.match(labels.severity, /^(critical|warning)$/, alert)
    t.ok(annotations.summary && annotations.description, `${alert} says what to check`)
  }
  t.strictSame(
    documentedAlerts,
    alerts.map(({ alert }) => alert),
  )
})

t.test('finds the series of an expression in any context', async (t) => {
  const expr =
    'histogram_quantile(0.99, sum by (le) (rate(a_bucket{route="/x(y)",status=~"5.."}[5m]))) > 1 or absent(up{job="b"}) / sum by (le) (c offset 5m)'
  t.strictSame(findSeries(expr), [
    { name: 'a_bucket', labels: ['le', 'le', 'route', 'status'] },
    { name: 'up', labels: ['le', 'le', 'job'] },
    { name: 'c', labels: ['le', 'le'] },
  ])
})
