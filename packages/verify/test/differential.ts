import { createSecretKey } from 'node:crypto'
import { createVerifier as createFastJwtVerifier } from 'fast-jwt'
import { jwtVerify } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import { createVerifier as createFetchVerifier } from '../src/fetch.ts'
import { createVerifier } from '../src/index.ts'
import type { CheckResult } from '../src/token/verification.ts'
import { generateToken, Random } from './generator.ts'
import { key, policy } from './tokens.ts'

const secret = Buffer.from(key.secret)
const keyObject = createSecretKey(secret)
const { issuer, audience } = policy as { issuer: string; audience: string }

const ours = createVerifier({ ...policy, keys: [key] })
const oursOnFetch = createFetchVerifier({ ...policy, keys: [key] })
const fastJwt = createFastJwtVerifier({
  key: secret,
  algorithms: ['HS256'],
  allowedIss: issuer,
  allowedAud: audience,
  clockTolerance: 5000,
  cache: false,
})

/** Each accepts a token and returns its claims, or throws. */
const others: Record<string, (token: string) => unknown> = {
  jose: async (token) => {
    const options = { algorithms: ['HS256'], issuer, audience, clockTolerance: 5, typ: 'at+jwt' }
    return (await jwtVerify(token, keyObject, options)).payload
  },
  jsonwebtoken: (token) => {
    const options = { algorithms: ['HS256' as const], issuer, audience, clockTolerance: 5 }
    return jsonwebtoken.verify(token, keyObject, options)
  },
  'fast-jwt': (token) => fastJwt(token),
}

export interface Comparison {
  tokens: number
  /** Tokens that all verifiers accepted, with the same claims. */
  accepted: number
  /** Tokens that our verifier refused, by code. */
  refused: Map<string, number>
  /** Tokens that were also given to the verifier of the fetch entry. */
  compared: number
  /**
   * Tokens that our verifier accepted, and a library refused or read with other claims; and those
   * that the fetch entry answers differently, be it only by the code.
   */
  disagreements: { token: string; library: string; detail: string }[]
}

/** What two verifiers must agree on. */
function summarise(result: CheckResult): string {
  return result.ok ? JSON.stringify(result.claims) : `${result.error.code} ${result.error.claim}`
}

/**
 * Generates good and nearly good tokens, and checks with jose, jsonwebtoken and fast-jwt each one
 * that our verifier accepts: all must accept it with the same claims. Refusing more than they do is
 * intended. The fetch entry, which is slower, must answer every `fetchEvery`th token like Node's.
 *
 * @param seed the same seed generates the same tokens, except for the time and the key
 */
export async function compare(
  count: number,
  seed: number,
  fetchEvery: number,
  onProgress: (done: number) => void = () => {},
): Promise<Comparison> {
  const random = new Random(seed)
  const disagreements: Comparison['disagreements'] = []
  const result = { tokens: count, accepted: 0, refused: new Map(), compared: 0, disagreements }
  for (let i = 0; i < count; i++) {
    const token = generateToken(random)
    const checked = ours.check(token)
    if (checked.ok) {
      result.accepted++
      await checkWithOthers(token, JSON.stringify(checked.claims), result)
    } else {
      const { code } = checked.error
      result.refused.set(code, (result.refused.get(code) ?? 0) + 1)
    }
    if (i % fetchEvery === 0) {
      result.compared++
      const [expected, detail] = [summarise(checked), summarise(await oursOnFetch.check(token))]
      if (detail !== expected) disagreements.push({ token, library: 'the fetch entry', detail })
    }
    if (i % 1000 === 999) onProgress(i + 1)
  }
  return result
}

async function checkWithOthers(token: string, expected: string, result: Comparison): Promise<void> {
  for (const [library, verify] of Object.entries(others)) {
    let detail: string
    try {
      detail = JSON.stringify(await verify(token))
    } catch (err) {
      detail = String(err)
    }
    if (detail !== expected) result.disagreements.push({ token, library, detail })
  }
}
