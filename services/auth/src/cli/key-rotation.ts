import { type Algorithm, createKid, isRootKey, isTokenKey } from '../keys/jwk.ts'
import { changeKeyFiles, type KeyFiles, listServices, readKeyFile } from '../keys/key-file.ts'
import {
  addKey,
  findPromotionBlockers,
  findRetirementBlockers,
  getRotatingKey,
  promoteKey,
  retireKey,
} from '../keys/rotation.ts'
import type { AuthClientOptions } from './auth-client.ts'
import { fetchKeysStatus, type KeysStatus } from './keys-status.ts'
import { printLine } from './print.ts'

type ForceOptions = AuthClientOptions & KeyFiles & { force?: boolean }
type AddOptions = KeyFiles & { alg: Algorithm; root?: boolean }

/** `latchkey keys add` */
export async function add(
  kid: string | undefined,
  { alg, root, ...files }: AddOptions,
): Promise<void> {
  const id = kid ?? (root ? `${createKid()}-root` : createKid())
  const isFirstRoot = await changeKeyFiles(files, (set) => {
    addKey(set, id, root ? 'root' : alg)
    return root && set.keys.filter(isRootKey).length === 1
  })
  if (isFirstRoot) {
    printLine(`Added ${id}. The keys of services are derived from it. ${await whatToCopy(files)}.`)
    printLine('For each service, run: latchkey keys export --service <name>')
    return
  }
  const use = root ? 'Auth accepts services by it, but no key is derived from it yet' : notYet
  printLine(`Added ${id}. ${use}.`)
  printLine(`${await whatToCopy(files)}, then run: latchkey keys promote${root ? ` ${id}` : ''}`)
}

const notYet = 'It verifies, but does not sign yet'

/** `latchkey keys promote` */
export async function promote(kid: string | undefined, options: ForceOptions): Promise<void> {
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
    printLine(`Keys of services are derived from ${id}; auth still accepts those of ${old}.`)
    printLine(
      `${await whatToCopy(options)}. When each has its new key, run: latchkey keys retire ${old}`,
    )
    return
  }
  printLine(
    `${id} signs after the next reload; ${old} still verifies. ${await whatToCopy(options)}.`,
  )
  printLine(
    `When its tokens have expired (see latchkey keys status), run: latchkey keys retire ${old}`,
  )
}

/** `latchkey keys retire` */
export async function retire(kid: string, options: ForceOptions): Promise<void> {
  const key = getRotatingKey(await readKeyFile(options.keys), kid)
  await assertSafe(options, ({ verifiers, live }) => findRetirementBlockers(key, verifiers, live))
  await changeKeyFiles(options, (set) => retireKey(set, kid))
  printLine(`Retired ${kid}. ${await whatToCopy(options)}.`)
  printLine('Destroy all copies of the previous files: they still contain the key.')
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
