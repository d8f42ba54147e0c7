import type { VerifierReport } from '../verifiers/store.ts'
import { createJwk, isTokenKey, type Jwk, type JwkSet } from './key-file.ts'

/** Keys whose tokens may still live, in seconds until none can. */
export type LiveKeys = ReadonlyMap<string, number>

/** Why a rotation step must wait, as sentences for the operator. */
export type Objections = string[]

/** What a key ID is made of: verifiers report theirs as a list with commas. */
const kidPattern = /^[\w.-]{1,64}$/

/** Adds a key that verifies and does not sign yet. @throws Error when the key ID is taken or malformed */
export function addKey(set: JwkSet, kid: string): void {
  if (!kidPattern.test(kid)) {
    throw new Error('a key ID is 1 to 64 letters, digits, dots, hyphens and underscores')
  }
  if (set.keys.some((key) => key.kid === kid)) throw new Error(`there is a key ${kid} already`)
  const last = set.keys.findLastIndex(isTokenKey)
  set.keys.splice(last + 1, 0, createJwk(kid))
}

/** Makes a key the first, which signs. @throws Error when there is no such key */
export function promoteKey(set: JwkSet, kid: string): void {
  const key = findTokenKey(set, kid)
  set.keys = [key, ...set.keys.filter((other) => other !== key)]
}

/** Removes a key. @throws Error when there is no such key, or it signs */
export function retireKey(set: JwkSet, kid: string): void {
  const key = findTokenKey(set, kid)
  if (signingKey(set) === key) throw new Error(`${kid} signs; promote another key first`)
  set.keys = set.keys.filter((other) => other !== key)
}

/** The key that signs. */
export const signingKey = (set: JwkSet): Jwk | undefined => set.keys.find(isTokenKey)

/** What speaks against signing with a key: verifiers that do not hold it would refuse its tokens. */
export function objectToPromotion(kid: string, verifiers: VerifierReport[]): Objections {
  const lacking = verifiers.filter(({ kids }) => !kids.includes(kid))
  return [
    ...objectToSilence(verifiers),
    ...lacking.map(
      ({ instance, ageSeconds }) =>
        `${instance} (seen ${Math.round(ageSeconds)} s ago) does not hold ${kid} yet and would refuse its tokens`,
    ),
  ]
}

/** What speaks against removing a key: living tokens, and whoever signs with it still, if only its polls. */
export function objectToRetirement(
  kid: string,
  verifiers: VerifierReport[],
  live: LiveKeys,
): Objections {
  const signing = verifiers.filter(({ kids }) => kids[0] === kid)
  const seconds = live.get(kid)
  return [
    ...objectToSilence(verifiers),
    ...signing.map(({ instance }) => `${instance} signs with ${kid} still`),
    ...(seconds === undefined
      ? []
      : [
          `tokens signed with ${kid} may live for ${Math.ceil(seconds)} s more and would be refused`,
        ]),
  ]
}

/** Without a report of auth's own nobody knows who signs with what. */
const objectToSilence = (verifiers: VerifierReport[]): Objections =>
  verifiers.some(({ service }) => service === 'auth')
    ? []
    : ['no auth instance has reported lately']

function findTokenKey(set: JwkSet, kid: string): Jwk {
  const key = set.keys.find((candidate) => candidate.kid === kid)
  if (key === undefined) throw new Error(`there is no key ${kid}`)
  if (!isTokenKey(key)) throw new Error(`${kid} is not a key for access tokens`)
  return key
}
