import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'

const from = join(import.meta.dirname, '../ops/observability/alerts/latchkey.yml')
const to = join(import.meta.dirname, 'components/prometheus-operator/rules.yaml')

// Kustomize cannot take a file of rules into an object: `node k8s/copy-rules.ts` after every change.
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
// Folded text would come back from kubectl with other line breaks.
const text = stringify(rule, { lineWidth: 0, blockQuote: 'literal' })
writeFileSync(
  to,
  `# Written by k8s/copy-rules.ts from ops/observability/alerts/latchkey.yml.\n${text}`,
)
