import type { Stats } from 'node:fs'
import { isIdTokenKey, isRootKey, isTokenKey, type JwkSet, rootMissing } from '../../keys/jwk.ts'
import { findSigningKey, type LiveKeys } from '../../keys/rotation.ts'
import type { VerifierReport } from '../../verifiers/store.ts'
import { error, type Finding, ok, warning } from './finding.ts'

/** A key may sign for two years (NIST SP 800-57 part 1, section 5.3.6), in days. */
const maxSigningAgeDays = 2 * 365
/** A key that signs nothing for longer is forgotten rather than about to be promoted, in days. */
const maxIdleDays = 30
const dayMs = 86_400_000

/** Whether others than the owner and the group can read the key file. */
export function checkKeyFileMode(file: string, { mode }: Pick<Stats, 'mode'>): Finding[] {
  if ((mode & 0o007) === 0) return []
  const text = `${file} is world-readable: anyone on the machine can issue tokens.`
  return [error('key_file_world_readable', `${text} Run chmod o-rwx ${file}.`)]
}

/** Which verifier has which key of the file, and which keys should be rotated or retired. */
export function checkKeys(
  set: JwkSet,
  { verifiers, live }: { verifiers: readonly VerifierReport[]; live: LiveKeys },
  now = new Date(),
): Finding[] {
  const kids = set.keys.filter(isTokenKey).map(({ kid }) => kid)
  const roots = set.keys.filter(isRootKey).map(({ kid }) => kid)
  const idTokenKids = set.keys.filter(isIdTokenKey).map(({ kid }) => kid)
  const signing = findSigningKey(set)?.kid ?? ''
  const fileKeys = { kids, roots, idTokenKids, signing }
  return [
    ...(roots.length > 0 ? [] : [warning('root_key_missing', `${sharedIdentity} ${rootMissing}.`)]),
    ...findSilence(verifiers),
    ...verifiers.flatMap((verifier) => findMissingKeys(verifier, fileKeys)),
    ...[...live.keys()].filter((kid) => !kids.includes(kid)).map(describeLostKey),
    ...kids.flatMap((kid) =>
      findOldKey(kid, { isSigning: kid === signing, isLive: live.has(kid), now }),
    ),
    ...kids.map((kid) => {
      const having = verifiers.filter((verifier) => verifier.kids.includes(kid))
      const names = having.map(({ instance }) => instance).join(', ') || 'none'
      const signs = kid === signing ? ', which signs' : ''
      return ok('key_known', `Processes with key ${kid}${signs}: ${names}.`)
    }),
    ...idTokenKids.slice(0, 1).map((kid) => ok('id_token_key', `Key ${kid} signs ID tokens.`)),
  ]
}

function findSilence(verifiers: readonly VerifierReport[]): Finding[] {
  if (!verifiers.some(({ service }) => service === 'auth')) {
    const text = 'No auth instance has reported in the last minute: no user can log in. Start auth.'
    return [error('auth_silent', text)]
  }
  if (verifiers.some(({ service }) => service !== 'auth')) return []
  const text = 'No verifier has polled the revocations in the last minute: a logout reaches none.'
  return [warning('verifiers_silent', `${text} Check LATCHKEY_AUTH_URL of the services.`)]
}

const sharedIdentity = 'Every service can poll in the name of any other:'

interface FileKeys {
  readonly kids: readonly string[]
  readonly roots: readonly string[]
  readonly idTokenKids: readonly string[]
  readonly signing: string
}

function findMissingKeys(verifier: VerifierReport, fileKeys: FileKeys): Finding[] {
  const { kids, roots, idTokenKids, signing } = fileKeys
  const name = `${verifier.instance} (${verifier.service})`
  const missing = kids.filter((kid) => !verifier.kids.includes(kid))
  // The key that a service authenticates with is `<root key>/<service>`.
  const held = verifier.kids.map((kid) => kid.split('/', 1).join())
  const inFile = [...kids, ...roots, ...idTokenKids]
  const unknown = held.filter((kid) => !inFile.includes(kid))
  const findings = missing.map((kid) => {
    const text = `${name} lacks key ${kid}`
    return kid === signing
      ? error(
          'signing_key_missing',
          `${text}, which signs: it refuses every new token. Copy the key file.`,
        )
      : warning('key_missing', `${text}: it would refuse its tokens. Copy the key file.`)
  })
  findings.push(...findMissingKeysOfAuth(verifier, fileKeys))
  if (unknown.length > 0) {
    const text = `${name} has ${unknown.join(', ')}, which the key file lacks. Copy the key file.`
    findings.push(warning('key_unknown', text))
  }
  if (missing.length === 0 && verifier.kids[0] !== signing) {
    const text = `${name} signs with ${verifier.kids[0]}, not with ${signing}. Copy the key file.`
    findings.push(warning('signing_key_differs', text))
  }
  return findings
}

/** Only auth has root keys, and keys for ID tokens. The first one of each is in use. */
function findMissingKeysOfAuth(
  { instance, service, kids }: VerifierReport,
  { roots, idTokenKids }: FileKeys,
): Finding[] {
  if (service !== 'auth') return []
  const findLacking = (
    ofKind: readonly string[],
    code: string,
    describe: (kid: string) => string,
  ) =>
    ofKind
      .filter((kid) => !kids.includes(kid))
      .map((kid) => {
        const text = `${instance} lacks ${describe(kid)}. Copy the key file.`
        return kid === ofKind[0] ? error(code, text) : warning(code, text)
      })
  return [
    ...findLacking(
      roots,
      'root_key_lacking',
      (kid) => `root key ${kid}: it refuses keys of services derived from it`,
    ),
    ...findLacking(
      idTokenKids,
      'id_token_key_lacking',
      (kid) => `key ${kid} for ID tokens: it does not publish it, so clients may refuse ID tokens`,
    ),
  ]
}

const describeLostKey = (kid: string): Finding =>
  warning(
    'live_key_lost',
    `Tokens signed with ${kid} may still be valid, but the key file lacks it: verifiers with this ` +
      'file refuse them. Restore the key, or let the users log in again.',
  )

function findOldKey(
  kid: string,
  { isSigning, isLive, now }: { isSigning: boolean; isLive: boolean; now: Date },
): Finding[] {
  const made = Date.parse(/^\d{4}-\d\d-\d\d/.exec(kid)?.[0] ?? '')
  const days = Math.floor((now.getTime() - made) / dayMs) // NaN without a date: never too old
  if (isSigning && days > maxSigningAgeDays) {
    const text = `Key ${kid} signs and is ${days} days old. Rotate it: latchkey keys add, promote.`
    return [warning('signing_key_old', text)]
  }
  if (!isSigning && !isLive && days > maxIdleDays) {
    const text = `Key ${kid} is ${days} days old, and no valid token is signed with it.`
    return [warning('key_idle', `${text} Run latchkey keys retire ${kid}.`)]
  }
  return []
}
