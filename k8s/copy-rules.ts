import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'

const from = join(import.meta.dirname, '../ops/observability/alerts/latchkey.yml')
const to = join(import.meta.dirname, 'components/prometheus-operator/rules.yaml')

// Kustomize cannot include a file of rules in an object. Run `npm run k8s:rules` after every
// change.
const { groups } = parse(readFileSync(from, 'utf8'))
const rule = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  metadata: {
    name: 'latchkey',
    namespace: 'latchkey',
    labels: { 'app.kubernetes.io/part-of': 'latchkey' },
  },
  spec: { groups },
}
// kubectl would change the line breaks of folded text.
const text = stringify(rule, { lineWidth: 0, blockQuote: 'literal' })
writeFileSync(
  to,
  `# Written by k8s/copy-rules.ts from ops/observability/alerts/latchkey.yml.\n${text}`,
)
