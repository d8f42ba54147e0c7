import {
  type Algorithm,
  createKid,
  isIdTokenKey,
  isRootKey,
  isTokenKey,
  type Jwk,
} from '../keys/jwk.ts'
import { changeKeyFiles, type KeyFiles, listServices, readKeyFile } from '../keys/key-file.ts'
import {
  addKey,
  findKeyInUse,
  findPromotionBlockers,
  findRetirementBlockers,
  getRotatingKey,
  type NewKey,
  promoteKey,
  retireKey,
} from '../keys/rotation.ts'
import type { AuthClientOptions } from './auth-client.ts'
import { fetchKeysStatus, type KeysStatus } from './keys-status.ts'
import { printLine } from './print.ts'

type ForceOptions = AuthClientOptions & KeyFiles & { force?: boolean }
type AddOptions = KeyFiles & { alg: Algorithm; root?: boolean; idToken?: boolean }

/** `latchkey keys add` */
export async function add(
  kid: string | undefined,
  { alg, root, idToken, ...files }: AddOptions,
): Promise<void> {
  const type = root ? 'root' : idToken ? 'id-token' : alg
  const id = kid ?? (type === alg ? createKid() : `${createKid()}-${type}`)
  const isInUse = await changeKeyFiles(files, (set) => {
    addKey(set, id, type)
    const key = getRotatingKey(set, id)
    return findKeyInUse(set, key) === key
  })
  const toCopy = await whatToCopy(files, idToken)
  if (isInUse && idToken) {
    printLine(`Added ${id}. It signs ID tokens after the next reload. ${toCopy}.`)
    return
  }
  if (isInUse) {
    printLine(`Added ${id}. The keys of services are derived from it. ${toCopy}.`)
    printLine('For each service, run: latchkey keys export --service <name>')
    return
  }
  printLine(`Added ${id}. ${notYet[type]}.`)
  printLine(`${toCopy}, then run: latchkey keys promote${type === alg ? '' : ` ${id}`}`)
}

const tokenKeyNotYet = 'It verifies, but does not sign yet'

const notYet: Record<NewKey, string> = {
  HS256: tokenKeyNotYet,
  ES256: tokenKeyNotYet,
  root: 'Auth accepts services by it, but no key is derived from it yet',
  'id-token':
    'Auth publishes it, but signs no ID token with it yet. Clients may use a copy of the published ' +
    'keys for a minute: wait two minutes before you promote it',
}

/** `latchkey keys promote` */
export async function promote(kid: string | undefined, options: ForceOptions): Promise<void> {
  const set = await readKeyFile(options.keys)
  if (options.force && kid === undefined) throw new Error('--force requires a key ID')
  const id = kid ?? set.keys.filter(isTokenKey).at(-1)?.kid ?? ''
  const key = getRotatingKey(set, id)
  if (findKeyInUse(set, key) === key) throw new Error(`${id} is in use already; add a key first`)
  await assertSafe(options, ({ verifiers, live }) => {
    // Without --force only: after a promotion, the last key in the file is the previous signing
    // key.
    if (kid === undefined && live.has(id)) {
      throw new Error(`${id} has signed before; pass its key ID to promote it again`)
    }
    return findPromotionBlockers(key, verifiers)
  })
  const old = await changeKeyFiles(options, (current) => {
    const before = findKeyInUse(current, key)?.kid ?? ''
    promoteKey(current, id)
    return before
  })
  const toCopy = await whatToCopy(options, isIdTokenKey(key))
  for (const line of describePromotion(key, { old, toCopy })) printLine(line)
}

function describePromotion(key: Jwk, { old, toCopy }: { old: string; toCopy: string }): string[] {
  const retire = `run: latchkey keys retire ${old}`
  if (isRootKey(key)) {
    return [
      `Keys of services are derived from ${key.kid}; auth still accepts those of ${old}.`,
      `${toCopy}. When each has its new key, ${retire}`,
    ]
  }
  if (isIdTokenKey(key)) {
    return [
      `${key.kid} signs ID tokens after the next reload; ${old} is still published. ${toCopy}.`,
      `Clients verify an ID token when they get it. After a minute, ${retire}`,
    ]
  }
  return [
    `${key.kid} signs after the next reload; ${old} still verifies. ${toCopy}.`,
    `When its tokens have expired (see latchkey keys status), ${retire}`,
  ]
}

/** `latchkey keys retire` */
export async function retire(kid: string, options: ForceOptions): Promise<void> {
  const set = await readKeyFile(options.keys)
  const key = getRotatingKey(set, kid)
  await assertSafe(options, (status) => findRetirementBlockers(key, { set, ...status }))
  await changeKeyFiles(options, (current) => retireKey(current, kid))
  printLine(`Retired ${kid}. ${await whatToCopy(options, isIdTokenKey(key))}.`)
  printLine('Destroy all copies of the previous files: they still contain the key.')
}

/** What is left to do after a change of the key file. */
async function whatToCopy({ keys, serviceKeys }: KeyFiles, isOfAuthAlone = false): Promise<string> {
  if (isOfAuthAlone) return `Every auth instance needs ${keys} (reloaded in 2 s)`
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
