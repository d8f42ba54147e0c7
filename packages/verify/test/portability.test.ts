import { readFile } from 'node:fs/promises'
import t from 'tap'
import { collectImports, comment, src } from './imports.ts'

t.test(
  'the fetch entry imports only modules of this package, and so runs without Node',
  async (t) => {
    const imports = await collectImports('fetch.ts')
    t.ok(imports.has('token/verification.ts') && imports.size > 10)
    const foreign = [...imports].filter((path) => !path.endsWith('.ts'))
    t.strictSame(foreign, [])
  },
)

t.test('index, express and testing import nothing but Node', async (t) => {
  for (const entry of ['index', 'express', 'testing']) {
    const imports = await collectImports(`${entry}.ts`)
    const foreign = [...imports].filter((path) => !/^node:|\.ts$/.test(path))
    t.strictSame(foreign, [], entry)
  }
})

t.test('no module of the fetch entry uses Buffer or process', async (t) => {
  for (const path of await collectImports('fetch.ts')) {
    const source = await readFile(new URL(path, src), 'utf8')
    const code = source.replace(comment, '').replace(/'[^'\n]*'/g, '')
    t.notMatch(code, /\b(Buffer|process)\b/, path)
  }
})
