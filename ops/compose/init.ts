import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { parseArgs, promisify } from 'node:util'

const root = resolve(import.meta.dirname, '../..')

const help = `Makes the secrets and the .env file that docker-compose.yml needs. Nothing is overwritten.

  npm run compose:init
  npm run compose:init -- --domain sso.example.com --port 443

  --domain <name>     where people reach the edge; default localhost
  --port <number>     its HTTPS port on this machine; default 8443
  --secrets <folder>  where the secrets go; default ops/compose/secrets
  --env <file>        where the settings go; default .env, which docker compose reads by itself`

const services = ['auth', 'orders', 'billing'] as const

/** The user of Node's images, to whom the secrets are given when root makes them. */
const nodeUser = { uid: 1000, gid: 1000 }

/** The group of Postgres' image, which reads its password as root or as its own user. */
const postgresGid = 999

/** Everything one Compose project needs that is not the same for everybody. */
interface Plan {
  readonly domain: string
  readonly port: number
  readonly secrets: string
  readonly env: string
}

/** Writes the secrets, each readable by its owner alone, and the settings that name the owner. */
async function init({ domain, port, secrets, env }: Plan): Promise<void> {
  for (const path of [secrets, env]) {
    if (existsSync(path))
      throw new Error(`${path} exists; move it away first, nothing is overwritten`)
  }
  const owner = ownerOfSecrets()
  const keyring = join(secrets, 'keyring')
  const keys = join(keyring, 'keys.json')
  await mkdir(keyring, { recursive: true, mode: 0o700 })
  await generateKeyring(keys)
  const files = new Map([['postgres_password', password()]])
  for (const service of services) {
    const role = `latchkey_${service}`
    files.set(`${service}_database_url`, `postgres://${role}:${password()}@postgres:5432/${role}`)
  }
  for (const [name, text] of files) {
    await writeFile(join(secrets, name), `${text}\n`, { flag: 'wx', mode: 0o600 })
  }
  const written = [...files.keys()].map((name) => join(secrets, name))
  for (const path of [keyring, keys, ...written]) await chown(path, owner.uid, owner.gid)
  if (process.getuid?.() === 0) {
    await chown(join(secrets, 'postgres_password'), owner.uid, postgresGid)
    await chmod(join(secrets, 'postgres_password'), 0o640)
  }
  const url = `https://${domain}${port === 443 ? '' : `:${port}`}`
  await writeFile(env, settings({ domain, port, secrets, url, owner }), { flag: 'wx' })
  console.log(`Wrote ${env} and the secrets in ${secrets}, readable by user ${owner.uid} alone.`)
  console.log(`Start with "docker compose up"; Latchkey then answers at ${url}.`)
}

/** What root owns no container could read. */
function ownerOfSecrets(): { uid: number; gid: number } {
  const uid = process.getuid?.() ?? 0
  return uid === 0 ? nodeUser : { uid, gid: process.getgid?.() ?? uid }
}

/** The keyring is made by the command an operator would use. */
async function generateKeyring(file: string): Promise<void> {
  const cli = join(root, 'services/auth/src/cli/main.ts')
  await promisify(execFile)(process.execPath, [cli, 'keys', 'generate', '--out', file])
}

/** 192 bits, in letters that a URL takes as they are. */
const password = () => randomBytes(24).toString('base64url')

interface Settings extends Omit<Plan, 'env'> {
  readonly url: string
  readonly owner: { readonly uid: number; readonly gid: number }
}

function settings({ domain, port, secrets, url, owner }: Settings): string {
  const inside = relative(root, secrets)
  const folder = inside.startsWith('..') ? secrets : `./${inside}`
  return `# Made by \`npm run compose:init\`; docker compose reads it. Nothing in here is secret.
# Where people reach the edge.
LATCHKEY_DOMAIN=${domain}
LATCHKEY_HTTPS_PORT=${port}
LATCHKEY_PUBLIC_URL=${url}
# The secrets, and the user and group that own them and whom the services run as.
LATCHKEY_SECRETS=${folder}
LATCHKEY_USER=${owner.uid}:${owner.gid}
`
}

try {
  const { values } = parseArgs({
    options: {
      domain: { type: 'string', default: 'localhost' },
      port: { type: 'string', default: '8443' },
      secrets: { type: 'string', default: join(root, 'ops/compose/secrets') },
      env: { type: 'string', default: join(root, '.env') },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const port = Number(values.port)
  if (values.help) {
    console.log(help)
  } else if (!(Number.isInteger(port) && port > 0 && port < 65_536)) {
    throw new Error('--port takes a number from 1 to 65535')
  } else {
    const { domain, secrets, env } = values
    await init({ domain, port, secrets: resolve(secrets), env: resolve(env) })
  }
} catch (err) {
  console.error(err instanceof Error ? err.message : err)
  process.exitCode = 1
}
