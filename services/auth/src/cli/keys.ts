import { type Command, Option } from 'commander'
import {
  changeKeyFiles,
  createJwkSet,
  createKid,
  isTokenKey,
  type JwkSet,
  type KeyFiles,
  readKeyFile,
  writeNewKeyFile,
} from '../keys/key-file.ts'
import {
  addKey,
  findPromotionBlockers,
  findRetirementBlockers,
  findSigningKey,
  promoteKey,
  retireKey,
} from '../keys/rotation.ts'
import { type AuthClientOptions, fetchKeysStatus, type KeysStatus } from './auth-client.ts'
import { addAuthOptions, keysOption } from './options.ts'
import { formatTable } from './table.ts'

const requiredKeysOption = () => keysOption().makeOptionMandatory()

const verifyingKeysOption = () =>
  new Option(
    '-v, --verifying-keys <file>',
    'key file of the services, with the keys for access tokens alone; kept up to date',
  ).env('LATCHKEY_VERIFYING_KEYS_FILE')

/** `latchkey keys …` */
export function addKeys(program: Command): void {
  const keys = program.command('keys').description('create a key file and rotate its keys')

  keys
    .command('generate')
    .description('create a key file: one key for access tokens, one for refresh tokens')
    .requiredOption('-o, --out <file>', 'file to create; an existing file is not overwritten')
    .addOption(verifyingKeysOption())
    .action(generate)
  keys
    .command('export')
    .description('write the key file of the services: the keys for access tokens alone')
    .addOption(requiredKeysOption())
    .addOption(verifyingKeysOption().makeOptionMandatory())
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
    .addOption(requiredKeysOption())
    .addOption(verifyingKeysOption())
    .action(add)
  addAuthOptions(keys.command('promote').addOption(requiredKeysOption()))
    .description('sign new tokens with a key; refused until every verifier has it')
    .argument('[kid]', 'key to promote; default: the key added last')
    .addOption(verifyingKeysOption())
    .option('--force', 'promote even if verifiers lack the key or auth does not answer')
    .action(promote)
  addAuthOptions(keys.command('retire').addOption(requiredKeysOption()))
    .description('remove a key; refused until all tokens signed with it have expired')
    .argument('<kid>', 'key to remove')
    .addOption(verifyingKeysOption())
    .option('--force', 'remove even if tokens signed with it may still be valid')
    .action(retire)
}

type ForceOptions = AuthClientOptions & KeyFiles & { force?: boolean }

async function generate({ out, verifyingKeys }: Omit<KeyFiles, 'keys'> & { out: string }) {
  const set = createJwkSet()
  await writeNewKeyFile(out, set)
  print(
    `Wrote ${out} (only its owner can read it). Access tokens are signed with ${signingKid(set)}.`,
  )
  print(`Start the auth service with LATCHKEY_KEYS_FILE=${out}`)
  await exportKeys({ keys: out, ...(verifyingKeys && { verifyingKeys }) })
}

async function exportKeys(files: KeyFiles): Promise<void> {
  const { verifyingKeys } = files
  if (verifyingKeys === undefined) {
    print('For the other services, run: latchkey keys export')
    return
  }
  await changeKeyFiles(files, () => {})
  print(`Wrote ${verifyingKeys}. Start the other services with LATCHKEY_KEYS_FILE=${verifyingKeys}`)
}

async function list({ keys }: { keys: string }): Promise<void> {
  const set = await readKeyFile(keys)
  const rows = set.keys.map((key) => [key.kid, describeKey(key.kid, set)])
  print(formatTable(['key', 'use'], rows))
}

async function status(options: AuthClientOptions): Promise<void> {
  const set = await readKeyFile(options.keys)
  const { verifiers, live } = await fetchKeysStatus(options)
  const kids = set.keys.filter(isTokenKey).map(({ kid }) => kid)
  const verifierRows = verifiers.map((verifier) => [
    verifier.instance,
    verifier.service,
    verifier.kids.join(' '),
    kids.filter((kid) => !verifier.kids.includes(kid)).join(' ') || '-',
    `${Math.round(verifier.ageSeconds)} s ago`,
  ])
  const head = ['instance', 'service', 'keys (the first one signs)', 'missing', 'seen']
  print(formatTable(head, verifierRows))
  const keyRows = [...live].map(([kid, seconds]) => [
    kid,
    kids.includes(kid) ? describeKey(kid, set) : 'not in the file',
    `${Math.ceil(seconds)} s`,
  ])
  print(`\n${formatTable(['signed with', 'use', 'tokens may be valid for'], keyRows)}`)
}

async function add(kid: string | undefined, files: KeyFiles): Promise<void> {
  const id = kid ?? createKid()
  await changeKeyFiles(files, (set) => addKey(set, id))
  print(`Added ${id}. It verifies, but does not sign yet.`)
  print(`${whatToCopy(files)}, then run: latchkey keys promote`)
}

async function promote(kid: string | undefined, options: ForceOptions): Promise<void> {
  const set = await readKeyFile(options.keys)
  if (options.force && kid === undefined) throw new Error('--force requires a key ID')
  const id = kid ?? set.keys.filter(isTokenKey).at(-1)?.kid ?? ''
  if (signingKid(set) === id) throw new Error(`${id} already signs; add a key first`)
  await assertSafe(options, ({ verifiers, live }) => {
    // Without --force only: after a promotion, the last key in the file is the previous signing
    // key.
    if (kid === undefined && live.has(id)) {
      throw new Error(`${id} has signed before; pass its key ID to promote it again`)
    }
    return findPromotionBlockers(id, verifiers)
  })
  const old = await changeKeyFiles(options, (current) => {
    const before = signingKid(current)
    promoteKey(current, id)
    return before
  })
  print(`${id} signs after the next reload; ${old} still verifies. ${whatToCopy(options)}.`)
  print(`When its tokens have expired (see latchkey keys status), run: latchkey keys retire ${old}`)
}

async function retire(kid: string, options: ForceOptions): Promise<void> {
  await assertSafe(options, ({ verifiers, live }) => findRetirementBlockers(kid, verifiers, live))
  await changeKeyFiles(options, (set) => retireKey(set, kid))
  print(`Retired ${kid}. ${whatToCopy(options)}.`)
  print('Destroy all copies of the previous files: they still contain the key.')
}

/** What is left to do after a change of the key file. */
const whatToCopy = ({ keys, verifyingKeys }: KeyFiles): string =>
  verifyingKeys === undefined
    ? 'Run latchkey keys export for the other services'
    : `Every auth instance needs ${keys}, every other service ${verifyingKeys} (reloaded in 2 s)`

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
  if (key === undefined || !isTokenKey(key)) return key?.use ?? '-'
  return findSigningKey(set) === key ? 'signs and verifies' : 'verifies'
}

const signingKid = (set: JwkSet): string => findSigningKey(set)?.kid ?? '-'

const print = (line: string) => process.stdout.write(`${line}\n`)
