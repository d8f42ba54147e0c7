/** `npm run check:package`: checks that Node and TypeScript resolve the published package. */
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packPackage, run } from './pack.ts'

const { folder, archive } = packPackage()
run(folder, 'npx', '--yes', 'publint@0.3.25', archive, '--strict')
run(folder, 'npx', '--yes', '@arethetypeswrong/cli@0.18.5', archive, '--profile', 'esm-only')

writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
const packages = ['fastify@5.12.8', '@types/node@24.19.2', 'typescript@7.0.2']
run(folder, 'npm', 'install', '--no-audit', '--no-fund', '--silent', archive, ...packages)
copyFileSync(fileURLToPath(new URL('consumer.ts', import.meta.url)), join(folder, 'consumer.ts'))
const strict = ['--strict', '--exactOptionalPropertyTypes', '--noEmit', '--types', 'node']
const resolution = ['--target', 'es2024', '--module', 'nodenext']
run(folder, 'npx', 'tsc', ...strict, ...resolution, 'consumer.ts')
console.log('an application compiles against its types')
