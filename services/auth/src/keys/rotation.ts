import type { VerifierReport } from '../verifiers/store.ts'
import { createJwk, isTokenKey, type Jwk, type JwkSet } from './key-file.ts'

/** Keys whose tokens may still be valid, with the seconds until the last of them expires. */
export type LiveKeys = ReadonlyMap<string, number>

/** Verifiers report their key IDs as a comma-separated list. */
const kidPattern = /^[\w.-]{1,64}$/

/** Adds a key that does not sign yet. @throws Error when the key ID is in use or malformed */
export function addKey(set: JwkSet, kid: string): void {
  if (!kidPattern.test(kid)) {
    throw new Error('a key ID is 1 to 64 letters, digits, dots, hyphens and underscores')
  }
  if (set.keys.some((key) => key.kid === kid)) throw new Error(`key ${kid} already exists`)
  const last = set.keys.findLastIndex(isTokenKey)
  set.keys.splice(last + 1, 0, createJwk(kid))
}

/** Makes a key the first one, which signs. @throws Error when there is no such key */
export function promoteKey(set: JwkSet, kid: string): void {
  const key = getTokenKey(set, kid)
  set.keys = [key, ...set.keys.filter((other) => other !== key)]
}

/** Removes a key. @throws Error when there is no such key, or it is the signing key */
export function retireKey(set: JwkSet, kid: string): void {
  const key = getTokenKey(set, kid)
  if (findSigningKey(set) === key) {
    throw new Error(`${kid} is the signing key; promote another key first`)
  }
  set.keys = set.keys.filter((other) => other !== key)
}

export const findSigningKey = (set: JwkSet): Jwk | undefined => set.keys.find(isTokenKey)

/** Why a key must not sign yet, as sentences: verifiers without the key would refuse its tokens. */
export function findPromotionBlockers(kid: string, verifiers: VerifierReport[]): string[] {
  const lacking = verifiers.filter(({ kids }) => !kids.includes(kid))
  return [
    ...findMissingReports(verifiers),
    ...lacking.map(
      ({ instance, ageSeconds }) =>
        `${instance} (seen ${Math.round(ageSeconds)} s ago) does not have ${kid} yet and would refuse its tokens`,
    ),
  ]
}

/**
 * Why a key must stay, as sentences: its tokens may be valid, or a verifier still signs with it.
 */
export function findRetirementBlockers(
  kid: string,
  verifiers: VerifierReport[],
  live: LiveKeys,
): string[] {
  const blockers = findMissingReports(verifiers)
  for (const { instance, kids } of verifiers) {
    if (kids[0] === kid) blockers.push(`${instance} still signs with ${kid}`)
  }
  const seconds = live.get(kid)
  if (seconds !== undefined) {
    blockers.push(
      `tokens signed with ${kid} may be valid for ${Math.ceil(seconds)} s more and would be refused`,
    )
  }
  return blockers
}

/** Without a report from an auth instance it is unknown which key signs. */
const findMissingReports = (verifiers: VerifierReport[]): string[] =>
  verifiers.some(({ service }) => service === 'auth')
    ? []
    : ['no auth instance has reported in the last minute']

function getTokenKey(set: JwkSet, kid: string): Jwk {
  const key = set.keys.find((candidate) => candidate.kid === kid)
  if (key === undefined) throw new Error(`there is no key ${kid}`)
  if (!isTokenKey(key)) throw new Error(`${kid} is not a key for access tokens`)
  return key
}
