/** Words of PromQL that can stand in the place of a metric's name. */
const keywords = 'by without on ignoring or and unless bool offset'.split(' ')

/** Finds the series that a PromQL expression reads, each with the labels that it uses. */
export function findSeries(expr: string): { name: string; labels: string[] }[] {
  const withoutStrings = expr.replace(/"[^"]*"/g, '""')
  // The labels of an aggregation must exist in every series of the expression.
  const grouping = /\b(?:by|without)\s*\(([^)]*)\)/g
  const grouped = [...withoutStrings.matchAll(grouping)].flatMap(([, list = '']) =>
    list.split(',').map((label) => label.trim()),
  )
  const rest = withoutStrings.replace(grouping, ' ').replace(/\[[^\]]*\]/g, ' ')
  return [...rest.matchAll(/\b([a-z_]\w*)\b\s*(\(|\{([^}]*)\})?/gi)]
    .filter(([, name = '', opening]) => opening !== '(' && !keywords.includes(name))
    .map(([, name = '', , matchers = '']) => {
      const matched = [...matchers.matchAll(/(\w+)\s*[=!]/g)].map(([, label = '']) => label)
      return { name, labels: [...grouped, ...matched] }
    })
}
