import { isIdTokenKey, isRootKey, isTokenKey, type JwkSet } from '../keys/jwk.ts'
import { readKeyFile } from '../keys/key-file.ts'
import { findKeyInUse } from '../keys/rotation.ts'
import type { AuthClientOptions } from './auth-client.ts'
import { fetchKeysStatus } from './keys-status.ts'
import { printLine } from './print.ts'
import { formatTable } from './table.ts'

/** `latchkey keys list` */
export async function list({ keys }: { keys: string }): Promise<void> {
  const set = await readKeyFile(keys)
  const rows = set.keys.map((key) => [key.kid, key.alg ?? '-', describeKey(key.kid, set)])
  printLine(formatTable(['key', 'algorithm', 'use'], rows))
}

/** `latchkey keys status` */
export async function status(options: AuthClientOptions): Promise<void> {
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
  printLine(formatTable(head, verifierRows))
  const keyRows = [...live].map(([kid, seconds]) => [
    kid,
    kids.includes(kid) ? describeKey(kid, set) : 'not in the file',
    `${Math.ceil(seconds)} s`,
  ])
  printLine(`\n${formatTable(['signed with', 'use', 'tokens may be valid for'], keyRows)}`)
}

/** By which key a service has proved its name. */
function describeProof(service: string, kids: readonly string[]): string {
  const own = kids.find((kid) => kid.endsWith(`/${service}`))
  return own ? `of ${own.split('/', 1)}` : service === 'auth' ? '-' : 'none: the name is unproven'
}

function describeKey(kid: string, set: JwkSet): string {
  const key = set.keys.find((candidate) => candidate.kid === kid)
  if (key === undefined) return '-'
  const isInUse = findKeyInUse(set, key) === key
  if (isRootKey(key)) {
    return isInUse ? 'keys of services are derived from it' : 'accepts keys of services'
  }
  if (isIdTokenKey(key)) return isInUse ? 'signs ID tokens' : 'verifies ID tokens'
  if (!isTokenKey(key)) return key.use ?? '-'
  return isInUse ? 'signs and verifies' : 'verifies'
}
