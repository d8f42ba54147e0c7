/** `npm run test:node-versions`: installs the packed package and uses it on each supported Node. */
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packPackage, run } from './pack.ts'

const VERSIONS = ['22.12.0', '22', '24', '26']

const { folder, archive } = packPackage()
writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
const packages = [
  'fastify@5.12.8',
  'express@5.3.0',
  ...VERSIONS.map((v) => `node-${v}@npm:node@${v}`),
]
run(folder, 'npm', 'install', '--no-audit', '--no-fund', '--silent', archive, ...packages)
copyFileSync(fileURLToPath(new URL('smoke.js', import.meta.url)), join(folder, 'smoke.js'))
for (const version of VERSIONS) {
  run(folder, join(folder, 'node_modules', `node-${version}`, 'bin', 'node'), 'smoke.js')
}
