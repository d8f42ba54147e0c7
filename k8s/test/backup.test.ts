import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeKeyFile } from '@latchkey/test-kit'
import { send, type Tokens } from '@latchkey/test-kit/client'
import { readCommands } from '@latchkey/test-kit/guide'
import { startService } from '@latchkey/test-kit/service'
import { execa, execaSync } from 'execa'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { find, read, services } from './objects.ts'
import { renderOverlay } from './render.ts'
import { findSchemaProblems } from './schema.ts'

const page = 'docs/guides/backup-and-restore.md'
const { image } = parse(read('docker-compose.yml'), { merge: true }).services.postgres
const docker = (...args: string[]) => execaSync('docker', args, { reject: false })
const versionOf = (program: string) =>
  /\) (\d+)/.exec(docker('run', '--rm', '--entrypoint', program, image, '--version').stdout)?.[1]
const hasEngine = docker('version').exitCode === 0
// An image of one's own may have the programs of its distribution, which refuse a newer server.
const isMixed = hasEngine && versionOf('pg_dump') !== versionOf('postgres')
const needsImage = {
  timeout: 240_000,
  skip: isMixed
    ? `pg_dump of ${image} has another version than its server`
    : !hasEngine && process.env.CI !== 'true' && 'no Docker engine',
}

const auth = resolve(import.meta.dirname, '../../services/auth')

/** Runs what `kubectl exec` and `docker compose exec` are given in a container. */
const prelude = (container: string, databaseUrl: string) => `
  ls() { echo '${services.join(' ')}'; }
  tar() { :; }
  inside() { command docker exec -i '${container}' "$@"; }
  npm() { node '${auth}/src/cli/main.ts' "\${@:5}"; }
  kubectl() {
    case "$3" in
      port-forward) exec sleep 300 ;;
      get) if [ "$5" = auth-database ]; then printf '%s' '${databaseUrl}' | base64; fi ;;
      exec)
        while [ "$1" != -- ]; do shift; done
        inside "\${@:2}" ;;
    esac
  }
  docker() {
    case "$*" in
      'compose exec '*) inside "\${@:5}" ;;
      *databases) for one in $(ls); do inside createdb --username postgres "latchkey_$one"; done ;;
      *auth-migrate) LATCHKEY_DATABASE_URL='${databaseUrl}' node '${auth}/src/main.ts' migrate ;;
      *' auth src/cli/main.ts '*)
        LATCHKEY_DATABASE_URL='${databaseUrl}' node '${auth}/src/cli/main.ts' "\${@:9}" ;;
    esac
  }
  `

/** Starts Postgres. The databases of all services are on this server. */
async function startPostgres(t: Test, user: string, database: string) {
  const password = randomBytes(24).toString('hex')
  const settings = [`POSTGRES_USER=${user}`, `POSTGRES_PASSWORD=${password}`]
  const environment = settings.flatMap((setting) => ['--env', setting])
  const publish = ['--publish', '127.0.0.1::5432', '--volume', '/var/lib/postgresql']
  const args = ['run', '--detach', '--rm', ...environment, ...publish, image]
  const { stdout: id } = await execa('docker', args)
  t.teardown(() => execa('docker', ['rm', '--force', '--volumes', id]))
  // Until the server has initialised itself, nothing listens on TCP.
  const isReady = ['exec', id, 'pg_isready', '--host', '127.0.0.1', '--username', user]
  while ((await execa('docker', isReady, { reject: false })).exitCode !== 0) await sleep(250)
  const cwd = t.testdir()
  const address = (await execa('docker', ['port', id, '5432'])).stdout.split('\n')[0]
  const url = `postgres://${user}:${password}@${address}/${database}`
  const bash = (script: string) =>
    execa('bash', ['-euo', 'pipefail', '-c', prelude(id, url) + script], { cwd, stdin: 'ignore' })
  return { url, bash }
}

const ada = { email: 'ada@example.com', password: 'correct horse battery' }
const eve = { ...ada, email: 'eve@example.com' }
// biome-ignore format: a table
const setUps = [
  { heading: 'Kubernetes, `dev` overlay', user: 'latchkey', database: 'latchkey', create: '' },
  { heading: 'Docker Compose', user: 'postgres', database: 'latchkey_auth', create: 'docker compose run --rm databases' },
]

for (const { heading, user, database, create } of setUps) {
  t.test(`${heading}: a restore brings accounts back and no session`, needsImage, async (t) => {
    const [backUp = '', ...restore] = readCommands(page, heading)
    const { url, bash } = await startPostgres(t, user, database)
    await bash(create)
    const { file } = writeKeyFile(t)
    const start = async () => {
      const service = await startService('auth', {
        LATCHKEY_DATABASE_URL: url,
        LATCHKEY_KEYS_FILE: file,
        LATCHKEY_ISSUER: 'https://sso.latchkey.test/auth',
        LATCHKEY_AUDIENCES: 'orders',
        LATCHKEY_ARGON2_MEMORY_KIB: '7168',
      })
      t.teardown(service.stop)
      const post = (path: string, body: object) => send(`${service.url}/v1/${path}`, { body })
      return { ...service, post }
    }
    const first = await start()
    await first.post('register', ada)
    const { refresh_token } = (await first.post('login', ada)).reply as Tokens
    await bash(backUp)
    await first.post('register', eve)
    t.equal((await first.post('login', eve)).status, 200)
    await first.stop()

    await bash(restore.join('\n'))
    const second = await start()
    t.equal((await second.post('refresh', { refresh_token })).status, 401)
    t.equal((await second.post('login', ada)).status, 200)
    t.equal((await second.post('login', eve)).status, 401)
  })
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
