import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { json } from 'node:stream/consumers'
import { promisify } from 'node:util'
import t from 'tap'
import { createClone } from './clone.ts'

const entries = ['index', 'fastify', 'express', 'fetch', 'testing']
const modules = resolve(import.meta.dirname, '../node_modules')
const folder = t.testdir({ app: { 'package.json': '{ "type": "module" }' } })
const app = join(folder, 'app')
const clone = join(folder, 'latchkey')
createClone(clone)

/** Runs a program without tap's loader, which tap adds to NODE_OPTIONS of every child process. */
const run = async (cwd: string, ...command: string[]) =>
  (await promisify(execFile)('env', ['-u', 'NODE_OPTIONS', ...command], { cwd })).stdout

const verify = join(clone, 'packages/verify')
const manifest = () => readFileSync(join(verify, 'package.json'), 'utf8')
const before = manifest()
const archive = 'latchkey-verify-0.1.0.tgz'

t.test('npm pack writes a small archive of what an application needs', async (t) => {
  await run(app, 'npm', 'pack', '../latchkey/packages/verify')
  const files = (await run(app, 'tar', '-tzf', archive)).split('\n').filter(Boolean)
  for (const entry of entries) {
    for (const end of ['js', 'd.ts']) t.ok(files.includes(`package/dist/${entry}.${end}`), entry)
  }
  const others = files.filter((file) => !/^package\/dist\/[\w/-]+\.(js|d\.ts)$/.test(file))
  t.strictSame(
    others.sort(),
    ['LICENSE', 'README.md', 'package.json'].map((f) => `package/${f}`),
  )
  t.ok(readFileSync(join(app, archive)).length < 100_000)
  t.equal(manifest(), before, 'the workspace still exports its sources')
})

t.test('every entry point of the archive works in plain JavaScript', async (t) => {
  await run(app, 'npm', 'install', '--offline', '--no-audit', '--no-fund', `./${archive}`)
  for (const name of ['express', 'fastify']) {
    symlinkSync(join(modules, name), join(app, 'node_modules', name))
  }
  writeFileSync(join(app, 'smoke.js'), readFileSync(join(verify, 'scripts/smoke.js')))
  t.match(await run(app, process.execPath, 'smoke.js'), 'every entry point works')
})

t.test('packing continues after it was interrupted', async (t) => {
  await run(verify, 'npm', 'run', 'prepack')
  t.not(manifest(), before)
  await run(verify, 'npm', 'pack', '--pack-destination', app)
  t.equal(manifest(), before)
  const packed = JSON.parse(await run(app, 'tar', '-xzOf', archive, 'package/package.json'))
  t.equal(packed.exports['.'].default, './dist/index.js')
})

t.test('npm publish sends the same package', async (t) => {
  let sent: { _attachments: Record<string, { data: string }> } | undefined
  const registry = createServer(async (req, res) => {
    if (req.method === 'PUT') sent = (await json(req)) as typeof sent
    res.writeHead(req.method === 'PUT' ? 201 : 404, { 'content-type': 'application/json' })
    res.end('{}')
  }).listen(0, '127.0.0.1')
  t.teardown(() => registry.close())
  await once(registry, 'listening')
  const address = `127.0.0.1:${(registry.address() as AddressInfo).port}`
  const to = [`--registry=http://${address}`, `--//${address}/:_authToken=none`]
  await run(verify, 'npm', 'publish', ...to)
  t.equal(manifest(), before)
  const [published] = Object.values(sent?._attachments ?? {})
  writeFileSync(join(app, 'published.tgz'), Buffer.from(published?.data ?? '', 'base64'))
  const packed = await run(app, 'tar', '-xzOf', 'published.tgz', 'package/package.json')
  t.equal(JSON.parse(packed).exports['.'].default, './dist/index.js')
})
