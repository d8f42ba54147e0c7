import { globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { parse } from 'yaml'

const root = join(import.meta.dirname, '../../..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')

export const services = globSync('services/*/package.json', { cwd: root }).map((file) =>
  basename(dirname(file)),
)

/** A rule of the alert file. */
export interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<'summary' | 'description', string>>
}

/** A panel of the dashboard, or a row. */
export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>
  readonly targets?: readonly { readonly expr: string }[]
}

export const alertsFile = join(root, 'ops/observability/alerts/latchkey.yml')
export const alerts: AlertRule[] = parse(readFileSync(alertsFile, 'utf8')).groups.flatMap(
  ({ rules }: { rules: AlertRule[] }) => rules,
)
export const panels: Panel[] = JSON.parse(read('ops/observability/grafana/latchkey.json')).panels

const tables = read('docs/metrics.md')

/** The rows of the tables of metrics in docs/metrics.md. */
export const documentedMetrics = [
  ...tables.matchAll(/^\| `(\w+)` +\| (\w+) +\|([^|]*)\|.*\| ([a-z ]+?) +\|$/gm),
].map(([, name = '', type = '', labels = '', who = '']) => ({
  ...{ name, type, who },
  labels: [...labels.matchAll(/`(\w+)`(?=:|,| \||\s*$)/g)].map(([, label = '']) => label),
}))

/** The documented series, each with its labels. */
export const documentedSeries = new Map<string, string[]>([['up', ['job', 'instance']]])
for (const { name, type, labels: own } of documentedMetrics) {
  const labels = ['service', 'instance_name', 'job', 'instance', ...own]
  if (type === 'histogram') {
    documentedSeries.set(`${name}_bucket`, [...labels, 'le'])
    documentedSeries.set(`${name}_sum`, labels).set(`${name}_count`, labels)
  } else documentedSeries.set(name, labels)
}

/** The alerts that docs/metrics.md names. */
export const documentedAlerts = [...tables.matchAll(/^\| (Latchkey\w+) +\|/gm)].map(
  ([, name = '']) => name,
)
