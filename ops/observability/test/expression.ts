/** Words of PromQL that stand where a metric's name could. */
const keywords = new Set([
  'by',
  'without',
  'on',
  'ignoring',
  'or',
  'and',
  'unless',
  'bool',
  'offset',
])

/** Finds the series that a PromQL expression reads, with the labels it asks of each. */
export function findSeries(expr: string): { name: string; labels: string[] }[] {
  const withoutStrings = expr.replace(/"[^"]*"/g, '""')
  // Labels named by an aggregation belong to what is aggregated: every series of the expression.
  const grouping = /\b(?:by|without)\s*\(([^)]*)\)/g
  const grouped = [...withoutStrings.matchAll(grouping)].flatMap(([, list = '']) => words(list))
  const rest = withoutStrings.replace(grouping, ' ').replace(/\[[^\]]*\]/g, ' ')
  return [...rest.matchAll(/\b([a-z_]\w*)\b\s*(\(|\{([^}]*)\})?/gi)]
    .filter(([, name = '', opening]) => opening !== '(' && !keywords.has(name))
    .map(([, name = '', , matchers = '']) => ({
      name,
      labels: [
        ...grouped,
        ...[...matchers.matchAll(/(\w+)\s*[=!]/g)].map(([, label = '']) => label),
      ],
    }))
}

const words = (list: string) => list.split(',').map((word) => word.trim())
