import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { chmod, chown, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { InvalidArgumentError, program } from 'commander'
import { execa } from 'execa'
import { parse } from 'yaml'

const root = resolve(import.meta.dirname, '../..')

/** The user of the Node images, who owns the secrets if root creates them. */
const nodeUser = { uid: 1000, gid: 1000 }

/** The group of the Postgres image. Postgres reads its password as root or as its own user. */
const postgresGid = 999

/** Mailpit runs beside auth, without TLS. For another server, the operator replaces the URL. */
const urlOfMailpit = 'smtp://mailpit:1025?tls=none'

interface Options {
  readonly domain: string
  readonly port: number
  readonly secrets: string
  readonly env: string
}

/** Writes the secrets, readable by their owner alone, and the settings that name the owner. */
async function init({ domain, port, secrets, env }: Options): Promise<void> {
  for (const path of [secrets, env]) {
    if (existsSync(path)) throw new Error(`${path} already exists; move it first`)
  }
  const owner = findOwner()
  const services = findVerifyingServices()
  const keyring = join(secrets, 'keyring')
  const serviceKeys = join(secrets, 'service-keys')
  await mkdir(keyring, { recursive: true, mode: 0o700 })
  await mkdir(serviceKeys, { mode: 0o700 })
  const cli = join(root, 'services/auth/src/cli/main.ts')
  const args = ['--out', join(keyring, 'keys.json'), '--service-keys', serviceKeys]
  await execa(process.execPath, [cli, 'keys', 'generate', ...args, '--service', ...services])
  const names = findSecretNames()
  for (const name of names) {
    const options = { flag: 'wx', mode: 0o600 }
    await writeFile(join(secrets, name), `${createSecret(name)}\n`, options)
  }
  await mkdir(join(secrets, 'mail'), { mode: 0o700 })
  await writeFile(join(secrets, 'mail/smtp_url'), `${urlOfMailpit}\n`, { mode: 0o600 })
  for (const path of [secrets, ...(await readdir(secrets, { recursive: true }))]) {
    await chown(resolve(secrets, path), owner.uid, owner.gid)
  }
  if (process.getuid?.() === 0) {
    await chown(join(secrets, 'postgres_password'), owner.uid, postgresGid)
    await chmod(join(secrets, 'postgres_password'), 0o640)
  }
  const url = `https://${domain}${port === 443 ? '' : `:${port}`}`
  await writeFile(env, formatSettings({ domain, port, secrets, url, owner }), { flag: 'wx' })
  console.log(`Wrote ${env} and the secrets in ${secrets}, readable by user ${owner.uid} alone.`)
  console.log(`Start with "docker compose up"; Latchkey then listens at ${url}.`)
}

/** Containers do not run as root, so they cannot read files of root. */
function findOwner(): { uid: number; gid: number } {
  const uid = process.getuid?.() ?? 0
  return uid === 0 ? nodeUser : { uid, gid: process.getgid?.() ?? uid }
}

const readComposeFile = () => parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'))

/** The secrets that docker-compose.yml reads: the password of Postgres, and a URL per service. */
const findSecretNames = (): string[] => Object.keys(readComposeFile().secrets)

/** The services that mount a key file of their own. */
const findVerifyingServices = (): string[] =>
  Object.entries<{ volumes?: string[] }>(readComposeFile().services)
    .filter(([name, { volumes = [] }]) =>
      volumes.some((volume) => String(volume).includes(`/service-keys/${name}:`)),
    )
    .map(([name]) => name)

/** A password of 192 bits, which needs no escaping in a URL; or a URL that has one. */
function createSecret(name: string): string {
  const password = randomBytes(24).toString('base64url')
  if (!name.endsWith('_database_url')) return password
  const role = `latchkey_${name.replace('_database_url', '')}`
  return `postgres://${role}:${password}@postgres:5432/${role}`
}

interface Settings extends Omit<Options, 'env'> {
  readonly url: string
  readonly owner: { readonly uid: number; readonly gid: number }
}

function formatSettings({ domain, port, secrets, url, owner }: Settings): string {
  const inside = relative(root, secrets)
  const folder = inside.startsWith('..') ? secrets : `./${inside}`
  return `# Written by \`npm run compose:init\` for docker compose. Contains no secret.
# The public address of the edge.
LATCHKEY_DOMAIN=${domain}
LATCHKEY_HTTPS_PORT=${port}
# 0.0.0.0 lets other machines reach it.
LATCHKEY_BIND_ADDRESS=127.0.0.1
LATCHKEY_PUBLIC_URL=${url}
# The secrets, and the user and group that own them and run the services.
LATCHKEY_SECRETS=${folder}
LATCHKEY_USER=${owner.uid}:${owner.gid}
# Remove each # to let auth send mail by the SMTP server whose URL is in mail/smtp_url among the
# secrets. A new account then needs the code of a mail. See docs/guides/compose.md.
#LATCHKEY_SMTP_URL_FILE=/run/latchkey/mail/smtp_url
#LATCHKEY_MAIL_FROM=no-reply@${domain}
`
}

function parsePort(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port
  throw new InvalidArgumentError('must be a number from 1 to 65535')
}

const toPath = (path: string) => resolve(path)

program
  .name('npm run compose:init --')
  .description('Creates the secrets and the .env file for docker-compose.yml. Overwrites nothing.')
  .option('--domain <name>', 'public host name of the edge', 'localhost')
  .option('--port <number>', 'HTTPS port of the edge on this machine', parsePort, 8443)
  .option(
    '--secrets <folder>',
    'where to write the secrets',
    toPath,
    join(root, 'ops/compose/secrets'),
  )
  .option(
    '--env <file>',
    'where to write the settings; docker compose reads .env',
    toPath,
    join(root, '.env'),
  )
try {
  await init(program.parse().opts<Options>())
} catch (err) {
  program.error(err instanceof Error ? err.message : String(err))
}
