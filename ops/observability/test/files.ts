import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

const root = join(import.meta.dirname, '../../..')

/** A rule of the alert file. */
export interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/** A panel of the dashboard, or a row. */
export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: {
    readonly x: number
    readonly y: number
    readonly w: number
    readonly h: number
  }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}

export const alertsFile = join(root, 'ops/observability/alerts/latchkey.yml')
export const alertTestsFile = join(import.meta.dirname, 'alerts.test.yml')

/** All rules of the alert file. */
export function readAlerts(): AlertRule[] {
  const { groups } = parse(readFileSync(alertsFile, 'utf8')) as { groups: { rules: AlertRule[] }[] }
  return groups.flatMap(({ rules }) => rules)
}

/** The dashboard's panels. */
export function readDashboard(): { readonly panels: readonly Panel[] } {
  return JSON.parse(readFileSync(join(root, 'ops/observability/grafana/latchkey.json'), 'utf8'))
}

/** The documented metrics (docs/metrics.md): the series each name has, and the labels of those. */
export function readDocumentedSeries(): Map<string, Set<string>> {
  const series = new Map<string, Set<string>>([['up', new Set(['job', 'instance'])]])
  for (const [, name = '', type, labels = ''] of readTables().matchAll(
    /^\| `(\w+)` +\| (\w+) +\|([^|]*)\|/gm,
  )) {
    const names = new Set(['service', 'instance_name', 'job', 'instance'])
    for (const [, label = ''] of labels.matchAll(/`(\w+)`(?=:|,| \||\s*$)/g)) names.add(label)
    if (type === 'histogram') {
      series.set(`${name}_bucket`, new Set([...names, 'le']))
      series.set(`${name}_sum`, names)
      series.set(`${name}_count`, names)
    } else {
      series.set(name, names)
    }
  }
  return series
}

/** The alerts that docs/metrics.md names. */
export function readDocumentedAlerts(): string[] {
  return [...readTables().matchAll(/^\| (Latchkey\w+) +\|/gm)].map(([, name = '']) => name)
}

const readTables = () => readFileSync(join(root, 'docs/metrics.md'), 'utf8')
