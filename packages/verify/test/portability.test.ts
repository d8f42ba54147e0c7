import { readFile } from 'node:fs/promises'
import t from 'tap'

/** Everything that a module imports when it runs, and what that imports. */
async function collectImports(url: URL, found = new Set<string>()): Promise<Set<string>> {
  const source = await readFile(url, 'utf8')
  const statement = /^(?:import|export) (?!type )[^;]*?from '([^']+)'|^import '([^']+)'/gms
  for (const [, from, bare] of source.matchAll(statement)) {
    const specifier = (from ?? bare) as string
    if (found.has(specifier)) continue
    found.add(specifier)
    if (specifier.startsWith('.')) await collectImports(new URL(specifier, url), found)
  }
  return found
}

t.test(
  'the fetch entry runs where there is no Node: it imports nothing but our own modules',
  async (t) => {
    const imports = await collectImports(new URL('../src/fetch.ts', import.meta.url))
    t.ok(imports.has('./verification.ts') && imports.size > 10)
    t.strictSame(
      [...imports].filter((specifier) => !specifier.startsWith('./')),
      [],
    )
  },
)

t.test('the core needs nothing but Node', async (t) => {
  for (const entry of ['index', 'express', 'testing']) {
    const imports = await collectImports(new URL(`../src/${entry}.ts`, import.meta.url))
    const foreign = [...imports].filter((specifier) => !/^(\.\/|node:)/.test(specifier))
    t.strictSame(foreign, [], entry)
  }
})

t.test('no module of the fetch entry uses Buffer or process', async (t) => {
  const imports = await collectImports(new URL('../src/fetch.ts', import.meta.url))
  for (const specifier of imports) {
    const source = await readFile(new URL(`../src/${specifier}`, import.meta.url), 'utf8')
    const code = source.replace(/\/\*[\s\S]*?\*\/|\/\/.*$|'[^'\n]*'/gm, '')
    t.notMatch(code, /\b(Buffer|process)\b/, specifier)
  }
})
