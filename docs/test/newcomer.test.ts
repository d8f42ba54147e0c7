/**
 * Follows the README and the guide "Add your own service" to the letter, in an empty folder and
 * against a local cluster. Three things differ: addresses are those of this cluster and of free
 * ports; published packages are linked from this repository instead of installed, so that no
 * network is needed; and where a page sleeps until a logout has taken effect, this waits for that.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createClone } from '../../packages/verify/test/clone.ts'
import { startCluster } from '../../tools/cluster/src/cluster.ts'
import { login } from '../../tools/test-kit/src/client.ts'
import { readCommands } from '../../tools/test-kit/src/guide.ts'
import { findPython } from '../../tools/test-kit/src/python.ts'
import * as shops from './shop.ts'

const { blocksOf, root, run, runShell } = shops
t.setTimeout(1_200_000)

const [flags = ''] = readCommands('docs/guides/add-your-own-service.md', 'Start Latchkey')
const cluster = await startCluster({
  port: 0,
  instances: 1,
  ephemeral: true,
  audiences: [/^npm start -- --audience (\w+)\n$/.exec(flags)?.[1] ?? ''],
  env: { LATCHKEY_ARGON2_MEMORY_KIB: '7168', LATCHKEY_ARGON2_PASSES: '1' },
})
t.teardown(() => cluster.stop())

const folder = mkdtempSync(join(tmpdir(), 'latchkey-newcomer-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const clone = join(folder, 'latchkey')
const shop = join(folder, 'shop')
createClone(clone)
symlinkSync(cluster.dataFolder, join(clone, '.latchkey'))

/** Text of a page for this cluster and for a server on this port. */
const adapt = (text: string, port = 0) =>
  text.replaceAll('http://localhost:8080', cluster.url).replace(/\b3000\b/g, `${port}`)

/** Instead of `sleep`: waits until the service refuses the token. */
const untilRefused = (url: string) => `sleep() {
  while curl -sf ${url} -H "authorization: Bearer $token" > /dev/null; do command sleep 0.1; done
}\n`

const statuses = (text: string) =>
  [...text.matchAll(/^HTTP\/1.1 (\d+)|# (\d+)$/gm)].map(([, sent, said]) => sent ?? said)

const [create = ''] = blocksOf('Create the project', 'sh')
await runShell(folder, `npm() { command npm --offline --no-audit --no-fund "$@"; }\n${create}`)
const optionsFile = blocksOf('Create the project', 'js').map((code) => adapt(code))
shops.writeFiles(shop, optionsFile)

/** Pastes the commands of "Try it", and compares the statuses with those in the comments. */
async function tryIt(t: Test, project: string, file: string, port: number) {
  const [, commands = ''] = blocksOf('Try it', 'sh')
  await shops.startServer(t, project, file, port)
  const refused = untilRefused(`http://localhost:${port}/cart`)
  const output = await runShell(project, refused + adapt(commands, port))
  t.strictSame(statuses(commands), ['401', '200', '204', '401'])
  t.strictSame(statuses(output), statuses(commands), 'as the comments say', { output })
}

const frameworks = ['Fastify', 'Express', 'Hono', 'node:http']
const [, startFile = ''] = /^node (\S+)\n$/.exec(blocksOf('Try it', 'sh')[0] ?? '') ?? []

t.test('a server of each framework follows logouts', async (t) => {
  t.jobs = frameworks.length
  for (const framework of frameworks) {
    t.test(framework, async (t) => {
      const project = shops.copyProject(shop, `shop-${framework.replace(':', '-')}`)
      const port = await shops.findFreePort()
      for (const command of blocksOf(framework, 'sh')) shops.installByLink(project, command)
      shops.writeFiles(
        project,
        blocksOf(framework, 'js').map((code) => adapt(code, port)),
      )
      await tryIt(t, project, startFile, port)
    })
  }
})

t.test('the servers compile as TypeScript, and work', async (t) => {
  // One project with a folder for each framework, because a compiler takes long to start.
  const project = shops.copyProject(shop, 'shop-typed')
  const installed = [...frameworks, 'TypeScript'].flatMap((heading) => blocksOf(heading, 'sh'))
  for (const command of installed) shops.installByLink(project, command)
  const port = await shops.findFreePort()
  for (const framework of frameworks) {
    const [server = ''] = blocksOf(framework, 'js')
    const types = framework === 'Hono' ? blocksOf('TypeScript', 'ts') : []
    const part = join(project, framework.replace(':', '-'))
    mkdirSync(part)
    shops.writeFiles(part, [...optionsFile, [adapt(server, port), ...types].join('')], 'ts')
  }
  const [config = ''] = blocksOf('TypeScript', 'json')
  const configure = (settings: object) =>
    writeFileSync(
      join(project, 'tsconfig.json'),
      JSON.stringify({ ...JSON.parse(config), ...settings }),
    )
  const compile = (tsc: string, ...args: string[]) => run(project, process.execPath, tsc, ...args)

  configure({ include: ['*/*.ts'], exclude: ['Hono'] })
  const oldest = join(root, 'packages/verify/node_modules/typescript-5.4/bin/tsc')
  await t.resolves(compile(oldest, '--noEmit'), 'TypeScript 5.4')
  configure({ include: ['*/*.ts'] })
  await t.resolves(compile('node_modules/typescript/bin/tsc'), 'the newest TypeScript')
  await tryIt(t, project, `dist/Hono/${startFile}`, port)
})

const python = findPython('jwt', 'python3-jwt')

t.test('a service in Python verifies the token', { skip: python.skip }, async (t) => {
  const [code = ''] = blocksOf('Not in JavaScript', 'python')
  writeFileSync(join(shop, 'verify.py'), adapt(code))
  const { access_token: token } = await login(cluster.url, cluster.demoUser)
  const verify = (token: string) =>
    run(
      shop,
      python.command,
      '-c',
      'import sys, verify; print(verify.verify(sys.argv[1])["aud"])',
      token,
    )
  t.match(await verify(token), 'shop')
  const [header, claims, signature] = token.split('.')
  const otherType = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url')
  for (const refused of [
    `${header}.${claims}.${'A'.repeat(43)}`,
    `${otherType}.${claims}.${signature}`,
  ]) {
    await t.rejects(verify(refused), { message: /jwt\.exceptions/ })
  }
})

/** Runs `npm run --silent latchkey -- …` of a page, each command until it succeeds. */
const cli = `npm() {
  for try in $(seq 120); do
    "${process.execPath}" "${root}/services/auth/src/cli/main.ts" "\${@:5}" && return
    command sleep 1
  done
  return 1
}\n`

t.test('the key file of another host is that of its service', async (t) => {
  const [command = ''] = blocksOf('Keys', 'sh')
  const file = join(cluster.serviceKeys, 'shop', 'keys.json')
  const before = readFileSync(file, 'utf8')
  rmSync(file)
  await runShell(clone, cli + command)
  t.equal(readFileSync(file, 'utf8'), before)
  t.match(before, /"kid": "[\w-]+-root\/shop"/)
})

t.test('the commands of the README lead from a login to two services', async (t) => {
  const [commands = ''] = readCommands('README.md', 'From login to two services')
  const script = untilRefused('$base/orders/whoami') + adapt(commands)
  const output = await runShell(root, script.replaceAll('.latchkey', cluster.dataFolder))
  t.equal(output.match(/^x-served-by: (orders|billing)-1/gm)?.length, 8, 'eight responses', {
    output,
  })
  t.match(output, /"order_id":"[\w-]+"/, 'an invoice')
  t.match(output, /"access_token":/, 'a refresh')
  t.strictSame(statuses(output), ['204', '401'])
})

t.test('the commands of the guide move the cluster from HS256 to ES256', async (t) => {
  const [commands = ''] = readCommands('docs/guides/es256.md', 'Move')
  t.match(await runShell(clone, cli + adapt(commands)), /ES256|signs after the next reload/)
  const algorithmOf = (token: string) =>
    JSON.parse(Buffer.from(token.split('.', 1).join(), 'base64url').toString()).alg
  let token = ''
  do {
    token = (await login(cluster.url, cluster.demoUser)).access_token
  } while (algorithmOf(token) !== 'ES256')
  for (const service of ['orders', 'billing']) {
    const headers = { authorization: `Bearer ${token}` }
    t.equal((await fetch(`${cluster.url}/${service}/whoami`, { headers })).status, 200)
  }
})
