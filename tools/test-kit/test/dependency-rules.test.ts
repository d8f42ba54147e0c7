import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import t from 'tap'

const root = resolve(import.meta.dirname, '../../..')
const depcruise = join(root, 'node_modules/.bin/depcruise')
const rules = join(root, '.dependency-cruiser.js')

/** A file per path, which imports the others; the rule that refuses it. */
// biome-ignore format: a table
const violations: [rule: string, files: Record<string, string[]>][] = [
  ['no-circle-between-files', { 'services/a/src/x.ts': ['./y.ts'], 'services/a/src/y.ts': ['./x.ts'] }],
  ['no-circle-between-folders', { 'services/a/src/x/1.ts': ['../y/1.ts'], 'services/a/src/y/1.ts': [], 'services/a/src/y/2.ts': ['../x/2.ts'], 'services/a/src/x/2.ts': [] }],
  ['no-import-of-the-whole-from-a-part', { 'services/a/src/x/1.ts': ['../app.ts'], 'services/a/src/app.ts': [] }],
  ['verify-stands-alone', { 'packages/verify/src/x.ts': ['../../service-kit/src/y.ts'], 'packages/service-kit/src/y.ts': [] }],
  ['web-imports-verify-only', { 'packages/web/src/x.ts': ['../../service-kit/src/y.ts'], 'packages/service-kit/src/y.ts': [] }],
  ['packages-import-packages-only', { 'packages/service-kit/src/x.ts': ['../../../services/a/src/y.ts'], 'services/a/src/y.ts': [] }],
  ['no-service-imports-another', { 'services/a/src/x.ts': ['../../b/src/y.ts'], 'services/b/src/y.ts': [] }],
  ['only-tests-and-tools-import-tools', { 'services/a/src/x.ts': ['../../../tools/b/src/y.ts'], 'tools/b/src/y.ts': [] }],
  ['only-stores-import-pg', { 'services/a/src/routes.ts': ['pg'], 'services/a/src/node_modules/pg/index.js': [] }],
  ['no-import-of-tests', { 'services/a/src/x.ts': ['../test/y.ts'], 'services/a/test/y.ts': [] }],
  ['no-unresolved-import', { 'services/a/src/x.ts': ['./missing.ts'] }],
]

for (const [rule, files] of violations) {
  t.test(`npm run check refuses a violation of ${rule}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'latchkey-rules-'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    for (const [file, imports] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true })
      const lines = imports.map((path) => `import type { X } from '${path}'\nexport type { X }`)
      writeFileSync(join(folder, file), lines.join('\n'))
    }
    const args = ['--config', rules, 'packages', 'services', 'tools'].filter((name, index) => {
      return index < 2 || Object.keys(files).some((file) => file.startsWith(`${name}/`))
    })
    const { status, stdout } = spawnSync(depcruise, args, { cwd: folder, encoding: 'utf8' })
    t.not(status, 0)
    t.match(stdout, `error ${rule}:`)
  })
}
