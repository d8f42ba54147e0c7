import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'

const root = resolve(import.meta.dirname, '../../..')

const sources = [
  '{services,packages}/*/src/**/*.ts',
  'tools/cluster/src/edge/*.ts',
  'ops/compose/Caddyfile',
]

/** How the sources write a code: next to its status, or before a sentence for people. */
const patterns = [
  /[([]\s*(?:(?<status>[\w.]+),\s*)?'(?<code>[a-z_]+)',\s*['`][A-Z]/g, // (404, 'not_found', 'No …
  /^ +(?<code>[a-z_]+): \{\s*status: (?<status>\d{3})/gm, // verify: token_missing: { status: 401
  /status: (?<status>\d{3}),\s*code: '(?<code>[a-z_]+)'/g, // verify: verifier_unavailable
  /^ +(?<code>[a-z_]+): \[\s*(?<status>\d{3}),/gm, // edge: route_unknown: [404, …
  /(?:OAuthError|AuthorizationError|refuse)\(\s*'(?<code>[a-z_]+)'/g, // auth: new OAuthError('invalid_grant', …
  / (?<status>\d{3}|\{err\.status_code\}) (?<code>[a-z_]+) "[A-Z]/g, // Caddyfile: ~^404 404 route_unknown "No …
]

/** Every `code status` of the sources. */
function findCodes(): Set<string> {
  // The codes of the command line are those of findings, not of answers.
  const files = globSync(sources, { cwd: root, exclude: ['services/auth/src/cli/**'] })
  const texts = files.map((file) => readFileSync(join(root, file), 'utf8'))
  const matches = texts.flatMap((text) =>
    patterns.flatMap((pattern) => [...text.matchAll(pattern)]),
  )
  return new Set(matches.map(({ groups }) => `${groups?.code} ${groups?.status}`))
}

/** Every `code status` of the tables in docs/errors.md. */
function findDocumentedCodes(): Set<string> {
  const page = readFileSync(join(root, 'docs/errors.md'), 'utf8')
  const rows = [...page.matchAll(/^\| `(\w+)` +\| ([^|]+?) +\|/gm)]
  return new Set(
    rows.flatMap(([, code, statuses = '']) =>
      statuses.split(', ').map((status) => `${code} ${status}`),
    ),
  )
}

t.test('docs/errors.md lists every code of the sources, and no other', async (t) => {
  const codes = findCodes()
  const documented = findDocumentedCodes()
  const names = (pairs: Set<string>) => [...new Set([...pairs].map((pair) => pair.split(' ')[0]))]
  t.strictSame(names(documented).sort(), names(codes).sort())
  for (const pair of codes) {
    if (/ \d+$/.test(pair)) t.ok(documented.has(pair), `${pair} is in docs/errors.md`)
  }
})
