import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import manifest from '../package.json' with { type: 'json' }

const folder = resolve(import.meta.dirname, '..')
const newest = resolve(folder, '../../node_modules/typescript/bin/tsc')
const oldest = join(folder, 'node_modules/typescript-5.4/bin/tsc')

/** Runs a compiler. tap's loader in NODE_OPTIONS would keep it from starting. */
function run(cwd: string, tsc: string, ...args: string[]): string {
  const command = ['-u', 'NODE_OPTIONS', process.execPath, tsc, ...args]
  const { stdout, stderr } = spawnSync('env', command, { cwd, encoding: 'utf8' })
  return stdout + stderr
}

/** Builds the package as it is published, into a folder where an application may import it. */
function buildPackage(t: Test): string {
  mkdirSync(join(folder, 'node_modules/.cache'), { recursive: true })
  const app = mkdtempSync(join(folder, 'node_modules/.cache/types-'))
  t.teardown(() => rmSync(app, { recursive: true }))
  const installed = join(app, 'node_modules/@latchkey/verify')
  const outDir = join(installed, 'dist')
  t.equal(run(folder, newest, '-p', 'tsconfig.build.json', '--outDir', outDir), '')
  const { exports } = manifest.publishConfig
  const published = { name: manifest.name, type: 'module', exports }
  writeFileSync(join(installed, 'package.json'), JSON.stringify(published))
  writeFileSync(join(app, 'package.json'), JSON.stringify({ type: 'module' }))
  return app
}

const ours = `import latchkey from '@latchkey/verify/fastify'`
const theirs = `import jwt from '@fastify/jwt'`
const withJwt = `
import Fastify from 'fastify'
const app = Fastify()
app.register(jwt, { secret: 'x', namespace: 'signer', decoratorName: 'signed' })
app.register(latchkey, { keys: new Uint8Array(32), issuer: 'x', audience: 'orders' })
app.get('/me', async (request) => {
  const { sub, roles }: { sub: string; roles?: readonly string[] } = request.user
  return [sub, roles]
})
app.get('/maybe', async (request) => void (await request.jwtVerify()))
`

t.test('the published types compile without skipLibCheck, with @fastify/jwt too', async (t) => {
  const app = buildPackage(t)
  cpSync(join(folder, 'scripts/consumer.ts'), join(app, 'consumer.ts'))
  writeFileSync(join(app, 'jwt-first.ts'), `${theirs}\n${ours}\n${withJwt}`)
  writeFileSync(join(app, 'jwt-later.ts'), `${ours}\n${theirs}\n${withJwt}`)
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--noEmit', '--types', 'node']
  const target = ['--target', 'es2022', '--lib', 'es2023', '--module', 'nodenext']
  const args = [...strict, ...target]
  const later = ['consumer.ts', 'jwt-later.ts']
  t.equal(run(app, oldest, ...args, ...later), '', 'TypeScript 5.4')
  t.equal(run(app, newest, '--ignoreConfig', ...args, ...later), '', 'the newest')
  t.equal(run(app, newest, '--ignoreConfig', ...args, 'jwt-first.ts'), '', '@fastify/jwt first')
})
