import { type Command, Option } from 'commander'
import {
  changeFile,
  createJwkSet,
  createKid,
  isTokenKey,
  type JwkSet,
  readFileAsSet,
  writeNewFile,
} from '../keys/key-file.ts'
import {
  addKey,
  type Objections,
  objectToPromotion,
  objectToRetirement,
  promoteKey,
  retireKey,
  signingKey,
} from '../keys/rotation.ts'
import { type AuthClientOptions, fetchKeysStatus, type KeysStatus } from './auth-client.ts'
import { table } from './table.ts'

const keysOption = () =>
  new Option('-k, --keys <file>', 'the keyring file')
    .env('LATCHKEY_KEYS_FILE')
    .makeOptionMandatory()
const authOption = () =>
  new Option('-u, --auth <url>', 'where the auth service answers').env('LATCHKEY_AUTH_URL')
const issuerOption = () =>
  new Option('-i, --issuer <issuer>', 'the issuer of your tokens').env('LATCHKEY_ISSUER')

/** `latchkey keys …` */
export function addKeys(program: Command): void {
  const keys = program.command('keys').description('make and rotate the keyring file')

  keys
    .command('generate')
    .description('make a new keyring: one key for access tokens, one for refresh tokens')
    .requiredOption('-o, --out <file>', 'where to write it; an existing file is not overwritten')
    .action(generate)
  keys
    .command('list')
    .description('show the keys of the file, without the keys themselves')
    .addOption(keysOption())
    .action(list)
  keys
    .command('status')
    .description('show which keys every verifier holds')
    .addOption(keysOption())
    .addOption(authOption())
    .addOption(issuerOption())
    .action(status)
  keys
    .command('add')
    .description('add a key that verifies; it signs once it is promoted')
    .argument('[kid]', 'its key ID; by default made of the date')
    .addOption(keysOption())
    .action(add)
  keys
    .command('promote')
    .description('sign with a key, once every verifier holds it')
    .argument('[kid]', 'by default the one added last')
    .addOption(keysOption())
    .addOption(authOption())
    .addOption(issuerOption())
    .option('--force', 'promote although verifiers lack the key, or nobody can be asked')
    .action(promote)
  keys
    .command('retire')
    .description('remove a key, once no token signed with it can live')
    .argument('<kid>')
    .addOption(keysOption())
    .addOption(authOption())
    .addOption(issuerOption())
    .option('--force', 'remove although tokens signed with it may live')
    .action(retire)
}

type StatusOptions = Partial<AuthClientOptions> & { keys: string }
type ForceOptions = StatusOptions & { force?: boolean }

async function generate({ out }: { out: string }): Promise<void> {
  const set = createJwkSet()
  await writeNewFile(out, set)
  say(`Wrote ${out} (readable by its owner alone); access tokens are signed with ${kidOf(set)}.`)
  say(`Start every service with LATCHKEY_KEYS_FILE=${out}`)
}

async function list({ keys }: StatusOptions): Promise<void> {
  const set = await readFileAsSet(keys)
  const rows = set.keys.map((key) => [key.kid, describeKey(key.kid, set)])
  say(table(['key', 'is for'], rows))
}

async function status(options: StatusOptions): Promise<void> {
  const set = await readFileAsSet(options.keys)
  const { verifiers, live } = await askAuth(options)
  const kids = set.keys.filter(isTokenKey).map(({ kid }) => kid)
  const rows = verifiers.map((verifier) => [
    verifier.instance,
    verifier.service,
    verifier.kids.join(' '),
    kids.filter((kid) => !verifier.kids.includes(kid)).join(' ') || '-',
    `${Math.round(verifier.ageSeconds)} s ago`,
  ])
  say(table(['instance', 'service', 'holds (the first signs)', 'lacks', 'seen'], rows))
  const living = [...live].map(([kid, seconds]) => [
    kid,
    kids.includes(kid) ? describeKey(kid, set) : 'not in the file',
    `${Math.ceil(seconds)} s`,
  ])
  say(`\n${table(['signed with', 'is', 'tokens may live for'], living)}`)
}

async function add(kid: string | undefined, { keys }: StatusOptions): Promise<void> {
  const id = kid ?? createKid()
  await changeFile(keys, (set) => addKey(set, id))
  say(`Added ${id}. It verifies now and does not sign.`)
  say('Bring the file to every service (they reload it within a second or two), then: keys promote')
}

async function promote(kid: string | undefined, options: ForceOptions): Promise<void> {
  const set = await readFileAsSet(options.keys)
  if (options.force && kid === undefined) throw new Error('with --force, name the key')
  const id = kid ?? set.keys.filter(isTokenKey).at(-1)?.kid ?? ''
  if (signingKey(set)?.kid === id) throw new Error(`${id} signs already; add a key first`)
  await heed(options, ({ verifiers, live }) => {
    // Not for --force: after a promotion the last key is the one that was to stop signing.
    if (kid === undefined && live.has(id)) throw new Error(`${id} has signed before; name the key`)
    return objectToPromotion(id, verifiers)
  })
  const old = await changeFile(options.keys, (current) => {
    const before = kidOf(current)
    promoteKey(current, id)
    return before
  })
  say(`${id} signs from the next reload on; ${old} goes on verifying.`)
  say(`When its tokens have expired (keys status shows when): keys retire ${old}`)
}

async function retire(kid: string, options: ForceOptions): Promise<void> {
  await heed(options, ({ verifiers, live }) => objectToRetirement(kid, verifiers, live))
  await changeFile(options.keys, (set) => retireKey(set, kid))
  say(`Retired ${kid}. Copies of earlier files still hold it: they are yours to destroy.`)
}

/** Refuses a step that somebody would be hurt by, unless it is forced; then says who. */
async function heed(
  options: ForceOptions,
  object: (status: KeysStatus) => Objections,
): Promise<void> {
  const objections = await askAuth(options).then(object, (err: Error) => [err.message])
  if (objections.length === 0) return
  const reasons = objections.map((objection) => `  ${objection}`).join('\n')
  if (!options.force) throw new Error(`refused:\n${reasons}\nWait, or insist with --force.`)
  process.stderr.write(`Forced in spite of:\n${reasons}\n`)
}

async function askAuth({ keys, auth, issuer }: StatusOptions): Promise<KeysStatus> {
  if (auth === undefined || issuer === undefined) {
    throw new Error('give --auth and --issuer, to ask which keys the verifiers hold')
  }
  return fetchKeysStatus({ keys, auth, issuer })
}

function describeKey(kid: string, set: JwkSet): string {
  const key = set.keys.find((candidate) => candidate.kid === kid)
  if (key === undefined || !isTokenKey(key)) return key?.use ?? '-'
  return signingKey(set) === key ? 'signs and verifies' : 'verifies'
}

const kidOf = (set: JwkSet): string => signingKey(set)?.kid ?? '-'

const say = (line: string) => process.stdout.write(`${line}\n`)
