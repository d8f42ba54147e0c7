import {
  type Algorithm,
  createIdTokenJwk,
  createRootJwk,
  createTokenJwk,
  isIdTokenKey,
  isRootKey,
  isTokenKey,
  type Jwk,
  type JwkSet,
} from './jwk.ts'

/** Keys whose tokens may still be valid, with the seconds until the last of them expires. */
export type LiveKeys = ReadonlyMap<string, number>

/** The key IDs that a process has reported. */
interface KnownKeys {
  service: string
  instance: string
  /** The one that signs first, and last the key that it authenticates with. See `VerifierReport`. */
  kids: string[]
  /** Time since the report, in seconds. */
  ageSeconds: number
}

/** Verifiers report their key IDs as a comma-separated list. */
const kidPattern = /^[\w.-]{1,64}$/

/** The kinds of keys that rotate, separately: the first key of a kind is in use. */
const kinds = [isTokenKey, isRootKey, isIdTokenKey]

const keysOfAuth = { root: createRootJwk, 'id-token': createIdTokenJwk }

/** What a new key is: an algorithm for access tokens, or a kind that auth alone has. */
export type NewKey = Algorithm | keyof typeof keysOfAuth

/**
 * Adds a key. If it is not the first of its kind, it is not in use yet.
 *
 * @throws Error when the key ID is in use or malformed
 */
export function addKey(set: JwkSet, kid: string, type: NewKey): void {
  if (!kidPattern.test(kid)) {
    throw new Error('a key ID is 1 to 64 letters, digits, dots, hyphens and underscores')
  }
  if (set.keys.some((key) => key.kid === kid)) throw new Error(`key ${kid} already exists`)
  if (type === 'root' || type === 'id-token') {
    set.keys.push(keysOfAuth[type](kid))
    return
  }
  const last = set.keys.findLastIndex(isTokenKey)
  set.keys.splice(last + 1, 0, createTokenJwk(kid, type))
}

/**
 * Makes a key the first of its kind, which is in use.
 *
 * @throws Error when there is no such key, or it has no private part
 */
export function promoteKey(set: JwkSet, kid: string): void {
  const key = getRotatingKey(set, kid)
  if (key.kty === 'EC' && key.d === undefined) {
    throw new Error(`${kid} has no private part, so auth could not sign with it`)
  }
  set.keys = [key, ...set.keys.filter((other) => other !== key)]
}

/** Removes a key. @throws Error when there is no such key, or it is in use */
export function retireKey(set: JwkSet, kid: string): void {
  const key = getRotatingKey(set, kid)
  if (findKeyInUse(set, key) === key) {
    const use = isRootKey(key) ? 'is the root key in use' : 'is the signing key'
    throw new Error(`${kid} ${use}; promote another key first`)
  }
  set.keys = set.keys.filter((other) => other !== key)
}

export const findSigningKey = (set: JwkSet): Jwk | undefined => set.keys.find(isTokenKey)

/** The key in use of the same kind: the one that signs, or that keys are derived from. */
export function findKeyInUse(set: JwkSet, key: Jwk): Jwk | undefined {
  const isOfKind = kinds.find((isOfKind) => isOfKind(key))
  return isOfKind && set.keys.find(isOfKind)
}

/** Why a key must not be used yet, as sentences: verifiers without it would refuse its tokens. */
export function findPromotionBlockers(key: Jwk, verifiers: KnownKeys[]): string[] {
  const { kid } = key
  // Only auth has the others: it verifies services by root keys, and publishes the keys of ID tokens.
  const concerned = isTokenKey(key) ? verifiers : verifiers.filter(isAuth)
  const lacking = concerned.filter(({ kids }) => !kids.includes(kid))
  const refusal = isIdTokenKey(key)
    ? 'not publish it'
    : `refuse ${isRootKey(key) ? 'the services' : 'its tokens'}`
  return [
    ...findMissingReports(verifiers),
    ...lacking.map(
      ({ instance, ageSeconds }) =>
        `${instance} (seen ${Math.round(ageSeconds)} s ago) does not have ${kid} yet and would ${refusal}`,
    ),
  ]
}

/** What is known of a fleet and its key file. */
interface Fleet {
  readonly set: JwkSet
  readonly verifiers: readonly KnownKeys[]
  readonly live: LiveKeys
}

/**
 * Why a key must stay, as sentences: its tokens may be valid, or a process still signs with it.
 *
 * Not checked: whether clients have verified the last ID tokens, which they do when they get them.
 */
export function findRetirementBlockers(key: Jwk, { set, verifiers, live }: Fleet): string[] {
  const { kid } = key
  const successor = findKeyInUse(set, key)?.kid ?? ''
  const blockers = findMissingReports(verifiers)
  for (const { instance, service, kids } of verifiers) {
    if (kids[0] === kid) blockers.push(`${instance} still signs with ${kid}`)
    if (kids.includes(`${kid}/${service}`)) {
      blockers.push(`${instance} still authenticates with ${kid}/${service}`)
    }
    if (
      isIdTokenKey(key) &&
      kids.includes(kid) &&
      !kids.slice(0, kids.indexOf(kid)).includes(successor)
    ) {
      blockers.push(`${instance} still signs ID tokens with ${kid}`)
    }
  }
  const seconds = live.get(kid)
  if (seconds !== undefined) {
    blockers.push(
      `tokens signed with ${kid} may be valid for ${Math.ceil(seconds)} s more and would be refused`,
    )
  }
  return blockers
}

const isAuth = ({ service }: KnownKeys): boolean => service === 'auth'

/** Without a report from an auth instance it is unknown which key signs. */
const findMissingReports = (verifiers: readonly KnownKeys[]): string[] =>
  verifiers.some(isAuth) ? [] : ['no auth instance has reported in the last minute']

/** Finds a key that can be rotated. @throws Error when there is none */
export function getRotatingKey(set: JwkSet, kid: string): Jwk {
  const key = set.keys.find((candidate) => candidate.kid === kid)
  if (key === undefined) throw new Error(`there is no key ${kid}`)
  if (kinds.some((isOfKind) => isOfKind(key))) return key
  throw new Error(`${kid} is not a key for access tokens or ID tokens, nor a root key`)
}
