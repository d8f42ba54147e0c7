import { randomBytes } from 'node:crypto'
import { writeKeyFile } from '@latchkey/test-kit'
import { send, type Tokens } from '@latchkey/test-kit/client'
import { readCommands } from '@latchkey/test-kit/guide'
import { startService } from '@latchkey/test-kit/service'
import { execa, execaSync } from 'execa'
import t from 'tap'
import { parse } from 'yaml'
import { find, read, services } from './objects.ts'
import { renderOverlay } from './render.ts'
import { findSchemaProblems } from './schema.ts'

const page = 'docs/guides/backup-and-restore.md'
const { image } = parse(read('docker-compose.yml'), { merge: true }).services.postgres
const run = (...args: string[]) => execaSync('docker', args, { reject: false })
const versionOf = (program: string) =>
  /\) (\d+)/.exec(run('run', '--rm', '--entrypoint', program, image, '--version').stdout)?.[1]
const obstacle =
  (run('version').exitCode !== 0 && 'no Docker engine') ||
  // An image of one's own may have the programs of its distribution, which refuse a newer server.
  (versionOf('pg_dump') !== versionOf('postgres') && `pg_dump of ${image} is older than its server`)
const needsEngine = { skip: process.env.CI === 'true' ? false : obstacle }
const ada = { email: 'ada@example.com', password: 'correct horse battery' }
const eve = { ...ada, email: 'eve@example.com' }

/** Starts a database as in the `dev` overlay. The databases of all services are on this server. */
async function startDatabase(folder: string) {
  const password = randomBytes(24).toString('hex')
  const settings = ['POSTGRES_USER=latchkey', `POSTGRES_PASSWORD=${password}`]
  const environment = settings.flatMap((setting) => ['--env', setting])
  const publish = ['--publish', '127.0.0.1::5432', '--volume', '/var/lib/postgresql']
  const args = ['run', '--detach', '--rm', ...environment, ...publish, image]
  const { stdout: id } = await execa('docker', args)
  const { stdout: address } = await execa('docker', ['port', id, '5432'])
  const bash = (script: string) =>
    execa('bash', ['-euo', 'pipefail', '-c', fakeKubectl(id) + script], { cwd: folder })
  const url = `postgres://latchkey:${password}@${address.split('\n')[0]}/latchkey`
  return { id, url, bash, stop: () => execa('docker', ['rm', '--force', '--volumes', id]) }
}

/** `kubectl exec` runs the command in the container; other commands do nothing. */
const fakeKubectl = (id: string) => `
  ls() { echo '${services.join(' ')}'; }
  kubectl() {
    [ "$3" = exec ] || { echo 'kind: Secret'; return; }
    local all="$*" input=''
    [ "$4" = -i ] && input=-i
    docker exec $input '${id}' \${all#*-- }
  }
  `

const restored = 'a restored database has the accounts of the backup and no open session'
t.test(restored, { ...needsEngine, timeout: 240_000 }, async (t) => {
  const database = await startDatabase(t.testdir())
  t.teardown(database.stop)
  // Until the server has initialised itself, nothing listens on TCP.
  const isReady = ['exec', database.id, 'pg_isready', '--host', '127.0.0.1', '-U', 'latchkey']
  await t.resolves(retry(() => execa('docker', isReady)))

  const { file } = writeKeyFile(t)
  const start = async () => {
    const service = await startService('auth', {
      LATCHKEY_DATABASE_URL: database.url,
      LATCHKEY_KEYS_FILE: file,
      LATCHKEY_ISSUER: 'https://sso.latchkey.test/auth',
      LATCHKEY_AUDIENCES: 'orders',
      LATCHKEY_ARGON2_MEMORY_KIB: '7168',
    })
    t.teardown(service.stop)
    return service
  }
  const [backUp = '', restore = ''] = readCommands(page, 'Kubernetes, `dev` overlay')
  const first = await start()
  const post = (url: string, path: string, body: object) => send(`${url}/v1/${path}`, { body })
  await post(first.url, 'register', ada)
  const { refresh_token } = (await post(first.url, 'login', ada)).reply as Tokens
  await database.bash(backUp)
  await post(first.url, 'register', eve)
  t.equal((await post(first.url, 'login', eve)).status, 200)
  await first.stop()

  await database.bash(restore)
  const second = await start()
  t.equal((await post(second.url, 'refresh', { refresh_token })).status, 401)
  t.equal((await post(second.url, 'login', ada)).status, 200)
  t.equal((await post(second.url, 'login', eve)).status, 401)
  const query = 'SELECT last_value > 1e6 FROM revocations_seq'
  const psql = ['psql', '--username', 'latchkey', '--tuples-only', '--no-align', '--command', query]
  t.equal((await execa('docker', ['exec', database.id, ...psql])).stdout, 't')
})

async function retry(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; attempt < 60; attempt++) {
    if (
      await work().then(
        () => true,
        () => false,
      )
    )
      return
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  await work()
}

t.test('the guide’s patch for CloudNativePG is valid, and names an existing cluster', async (t) => {
  const [, block = ''] = /^```yaml\n([\s\S]*?)^```$/m.exec(read(page)) ?? []
  const [{ target, patch }] = parse(block).patches
  const cluster = find(renderOverlay('production'), target.kind, target.name)
  const [{ path, value }] = parse(patch)
  t.equal(path, '/spec/bootstrap')
  const { database, owner } = value.recovery
  t.match(cluster.spec.bootstrap, { initdb: { database, owner } })
  const patched = { ...cluster, spec: { ...cluster.spec, bootstrap: value } }
  t.strictSame(await findSchemaProblems(patched), [])
})
