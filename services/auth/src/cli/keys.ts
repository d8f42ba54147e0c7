import { type Command, Option } from 'commander'
import {
  type Algorithm,
  algorithms,
  createJwkSet,
  createKid,
  isRootKey,
  isTokenKey,
  type JwkSet,
} from '../keys/jwk.ts'
import {
  changeKeyFiles,
  type KeyFiles,
  listServices,
  readKeyFile,
  serviceFile,
  writeNewKeyFile,
} from '../keys/key-file.ts'
import {
  addKey,
  findPromotionBlockers,
  findRetirementBlockers,
  findSigningKey,
  getRotatingKey,
  promoteKey,
  retireKey,
} from '../keys/rotation.ts'
import { type AuthClientOptions, fetchKeysStatus, type KeysStatus } from './auth-client.ts'
import { addAuthOptions, keysOption } from './options.ts'
import { formatTable } from './table.ts'

const requiredKeysOption = () => keysOption().makeOptionMandatory()

const serviceKeysOption = () =>
  new Option(
    '-s, --service-keys <folder>',
    "folder of the services' key files, <service>/keys.json; those in it are kept up to date",
  ).env('LATCHKEY_SERVICE_KEYS')

const servicesOption = () =>
  new Option('--service <name...>', 'services to write a key file for, in --service-keys').default(
    [],
    'none',
  )

const algorithmOption = () =>
  new Option(
    '--alg <algorithm>',
    'HS256: a secret that all services share. ES256: a key pair; only auth can sign',
  )
    .choices(algorithms)
    .default('HS256')

/** `latchkey keys …` */
export function addKeys(program: Command): void {
  const keys = program.command('keys').description('create a key file and rotate its keys')

  keys
    .command('generate')
    .description('create the key file of auth, with keys for access tokens, refresh and services')
    .requiredOption('-o, --out <file>', 'file to create; an existing file is not overwritten')
    .addOption(algorithmOption())
    .addOption(serviceKeysOption())
    .addOption(servicesOption())
    .action(generate)
  keys
    .command('export')
    .description("write the services' key files: the keys that verify, and the service's own key")
    .addOption(requiredKeysOption())
    .addOption(serviceKeysOption().makeOptionMandatory())
    .addOption(servicesOption())
    .action(exportKeys)
  keys
    .command('list')
    .description('list the keys in the file, without their secrets')
    .addOption(requiredKeysOption())
    .action(list)
  addAuthOptions(keys.command('status').addOption(requiredKeysOption()))
    .description(
      'list the keys that each verifier has, and the keys whose tokens may still be valid',
    )
    .action(status)
  keys
    .command('add')
    .description('add a key that verifies; it signs once it is promoted')
    .argument('[kid]', 'key ID; default: the date and a random suffix')
    .addOption(algorithmOption())
    .addOption(new Option('--root', 'add a root key, from which keys of services are derived'))
    .addOption(requiredKeysOption())
    .addOption(serviceKeysOption())
    .action(add)
  addAuthOptions(keys.command('promote').addOption(requiredKeysOption()))
    .description(
      'sign new tokens with a key, or derive from a root key; refused until every verifier has it',
    )
    .argument('[kid]', 'key to promote; default: the key added last')
    .addOption(serviceKeysOption())
    .option('--force', 'promote even if verifiers lack the key or auth does not answer')
    .action(promote)
  addAuthOptions(keys.command('retire').addOption(requiredKeysOption()))
    .description('remove a key; refused until all tokens signed with it have expired')
    .argument('<kid>', 'key to remove')
    .addOption(serviceKeysOption())
    .option('--force', 'remove even if tokens signed with it may still be valid')
    .action(retire)
}

type ForceOptions = AuthClientOptions & KeyFiles & { force?: boolean }
type ExportOptions = KeyFiles & { service: string[] }

async function generate(options: Omit<ExportOptions, 'keys'> & { out: string; alg: Algorithm }) {
  const { out, alg, serviceKeys, service } = options
  const set = createJwkSet(alg)
  await writeNewKeyFile(out, set)
  print(
    `Wrote ${out} (only its owner can read it). Access tokens are signed with ${signingKid(set)}.`,
  )
  print(`Start the auth service with LATCHKEY_KEYS_FILE=${out}`)
  if (serviceKeys !== undefined) await exportKeys({ keys: out, serviceKeys, service })
  else print('For each of the other services, run: latchkey keys export --service <name>')
}

async function exportKeys({ service, ...files }: ExportOptions): Promise<void> {
  const { serviceKeys = '' } = files
  await changeKeyFiles(files, () => {}, service)
  const written = await listServices(serviceKeys)
  if (written.length === 0) throw new Error(`${serviceKeys} has no key file; pass --service <name>`)
  for (const name of written) {
    const file = serviceFile(serviceKeys, name)
    print(`Wrote ${file}. Start ${name} with LATCHKEY_KEYS_FILE=${file}`)
  }
}

async function list({ keys }: { keys: string }): Promise<void> {
  const set = await readKeyFile(keys)
  const rows = set.keys.map((key) => [key.kid, key.alg ?? '-', describeKey(key.kid, set)])
  print(formatTable(['key', 'algorithm', 'use'], rows))
}

async function status(options: AuthClientOptions): Promise<void> {
  const set = await readKeyFile(options.keys)
  const { verifiers, live } = await fetchKeysStatus(options)
  const kids = set.keys.filter(isTokenKey).map(({ kid }) => kid)
  const verifierRows = verifiers.map(({ instance, service, kids: known, ageSeconds }) => [
    instance,
    service,
    known.filter((kid) => !kid.includes('/')).join(' '),
    kids.filter((kid) => !known.includes(kid)).join(' ') || '-',
    describeProof(service, known),
    `${Math.round(ageSeconds)} s ago`,
  ])
  const head = ['instance', 'service', 'keys (the first one signs)', 'missing', 'own key', 'seen']
  print(formatTable(head, verifierRows))
  const keyRows = [...live].map(([kid, seconds]) => [
    kid,
    kids.includes(kid) ? describeKey(kid, set) : 'not in the file',
    `${Math.ceil(seconds)} s`,
  ])
  print(`\n${formatTable(['signed with', 'use', 'tokens may be valid for'], keyRows)}`)
}

/** By which key a service has proved its name. */
function describeProof(service: string, kids: readonly string[]): string {
  const own = kids.find((kid) => kid.endsWith(`/${service}`))
  return own ? `of ${own.split('/', 1)}` : service === 'auth' ? '-' : 'none: the name is unproven'
}

type AddOptions = KeyFiles & { alg: Algorithm; root?: boolean }

async function add(kid: string | undefined, { alg, root, ...files }: AddOptions): Promise<void> {
  const id = kid ?? (root ? `${createKid()}-root` : createKid())
  const isFirstRoot = await changeKeyFiles(files, (set) => {
    addKey(set, id, root ? 'root' : alg)
    return root && set.keys.filter(isRootKey).length === 1
  })
  if (isFirstRoot) {
    print(`Added ${id}. The keys of services are derived from it. ${await whatToCopy(files)}.`)
    print('For each service, run: latchkey keys export --service <name>')
    return
  }
  const use = root ? 'Auth accepts services by it, but no key is derived from it yet' : notYet
  print(`Added ${id}. ${use}.`)
  print(`${await whatToCopy(files)}, then run: latchkey keys promote${root ? ` ${id}` : ''}`)
}

const notYet = 'It verifies, but does not sign yet'

async function promote(kid: string | undefined, options: ForceOptions): Promise<void> {
  const set = await readKeyFile(options.keys)
  if (options.force && kid === undefined) throw new Error('--force requires a key ID')
  const id = kid ?? set.keys.filter(isTokenKey).at(-1)?.kid ?? ''
  const key = getRotatingKey(set, id)
  const isRoot = isRootKey(key)
  if (set.keys.find(isRoot ? isRootKey : isTokenKey) === key) {
    throw new Error(`${id} is in use already; add a key first`)
  }
  await assertSafe(options, ({ verifiers, live }) => {
    // Without --force only: after a promotion, the last key in the file is the previous signing
    // key.
    if (kid === undefined && live.has(id)) {
      throw new Error(`${id} has signed before; pass its key ID to promote it again`)
    }
    return findPromotionBlockers(key, verifiers)
  })
  const old = await changeKeyFiles(options, (current) => {
    const before = current.keys.find(isRoot ? isRootKey : isTokenKey)?.kid
    promoteKey(current, id)
    return before
  })
  if (isRoot) {
    print(`Keys of services are derived from ${id}; auth still accepts those of ${old}.`)
    print(
      `${await whatToCopy(options)}. When each has its new key, run: latchkey keys retire ${old}`,
    )
    return
  }
  print(`${id} signs after the next reload; ${old} still verifies. ${await whatToCopy(options)}.`)
  print(`When its tokens have expired (see latchkey keys status), run: latchkey keys retire ${old}`)
}

async function retire(kid: string, options: ForceOptions): Promise<void> {
  const key = getRotatingKey(await readKeyFile(options.keys), kid)
  await assertSafe(options, ({ verifiers, live }) => findRetirementBlockers(key, verifiers, live))
  await changeKeyFiles(options, (set) => retireKey(set, kid))
  print(`Retired ${kid}. ${await whatToCopy(options)}.`)
  print('Destroy all copies of the previous files: they still contain the key.')
}

/** What is left to do after a change of the key file. */
async function whatToCopy({ keys, serviceKeys }: KeyFiles): Promise<string> {
  const toExport = 'Run latchkey keys export for the other services'
  if (serviceKeys === undefined) return toExport
  const services = await listServices(serviceKeys)
  if (services.length === 0) return `No service has a key file in ${serviceKeys}. ${toExport}`
  return `Every auth instance needs ${keys}, every other service its file in ${serviceKeys} (reloaded in 2 s)`
}

/** Refuses a step that would break a verifier or a live token; with --force, warns instead. */
async function assertSafe(
  options: ForceOptions,
  findBlockers: (status: KeysStatus) => string[],
): Promise<void> {
  const blockers = await fetchKeysStatus(options).then(findBlockers, (err: Error) => [err.message])
  if (blockers.length === 0) return
  const reasons = blockers.map((blocker) => `  ${blocker}`).join('\n')
  if (!options.force) throw new Error(`refused:\n${reasons}\nWait, or override with --force.`)
  process.stderr.write(`Forced despite:\n${reasons}\n`)
}

function describeKey(kid: string, set: JwkSet): string {
  const key = set.keys.find((candidate) => candidate.kid === kid)
  if (key === undefined) return '-'
  if (isRootKey(key)) {
    const isInUse = set.keys.find(isRootKey) === key
    return isInUse ? 'keys of services are derived from it' : 'accepts keys of services'
  }
  if (!isTokenKey(key)) return key.use ?? '-'
  return findSigningKey(set) === key ? 'signs and verifies' : 'verifies'
}

const signingKid = (set: JwkSet): string => findSigningKey(set)?.kid ?? '-'

const print = (line: string) => process.stdout.write(`${line}\n`)
