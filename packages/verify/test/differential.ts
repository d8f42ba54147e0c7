import { createSecretKey } from 'node:crypto'
import { createVerifier as createFastJwtVerifier } from 'fast-jwt'
import { jwtVerify } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import { createVerifier as createFetchVerifier } from '../src/fetch.ts'
import { createVerifier } from '../src/index.ts'
import type { CheckResult } from '../src/token/verification.ts'
import { generateToken, Random } from './generator.ts'
import { ecPublicKey, policy, type Signing } from './tokens.ts'

const { issuer, audience } = policy as { issuer: string; audience: string }

/** Verifiers for one algorithm: ours, ours of the fetch entry, and those of other libraries. */
function createVerifiers({ alg, key }: Signing) {
  const keyObject = 'secret' in key ? createSecretKey(key.secret) : ecPublicKey
  const fastJwt = createFastJwtVerifier({
    key:
      'secret' in key
        ? Buffer.from(key.secret)
        : ecPublicKey.export({ format: 'pem', type: 'spki' }),
    algorithms: [alg],
    allowedIss: issuer,
    allowedAud: audience,
    clockTolerance: 5000,
    cache: false,
  })
  /** Each accepts a token and returns its claims, or throws. */
  const others: Record<string, (token: string) => unknown> = {
    jose: async (token) => {
      const options = { algorithms: [alg], issuer, audience, clockTolerance: 5, typ: 'at+jwt' }
      return (await jwtVerify(token, keyObject, options)).payload
    },
    jsonwebtoken: (token) => {
      const options = { algorithms: [alg], issuer, audience, clockTolerance: 5 }
      return jsonwebtoken.verify(token, keyObject, options)
    },
    'fast-jwt': (token) => fastJwt(token),
  }
  const options = { ...policy, keys: [key] }
  return { ours: createVerifier(options), onFetch: createFetchVerifier(options), others }
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
 * @param options `seed`: the same one generates the same tokens, except for the time and the key
 */
export async function compare(
  signing: Signing,
  { count, seed, fetchEvery }: { count: number; seed: number; fetchEvery: number },
  onProgress: (done: number) => void = () => {},
): Promise<Comparison> {
  const { ours, onFetch, others } = createVerifiers(signing)
  const random = new Random(seed)
  const disagreements: Comparison['disagreements'] = []
  const result = { tokens: count, accepted: 0, refused: new Map(), compared: 0, disagreements }
  for (let i = 0; i < count; i++) {
    const token = generateToken(random, signing)
    const checked = ours.check(token)
    if (checked.ok) {
      result.accepted++
      for (const [library, verify] of Object.entries(others)) {
        const detail = await describe(() => verify(token))
        if (detail !== JSON.stringify(checked.claims))
          disagreements.push({ token, library, detail })
      }
    } else {
      const { code } = checked.error
      result.refused.set(code, (result.refused.get(code) ?? 0) + 1)
    }
    if (i % fetchEvery === 0) {
      result.compared++
      const [expected, detail] = [summarise(checked), summarise(await onFetch.check(token))]
      if (detail !== expected) disagreements.push({ token, library: 'the fetch entry', detail })
    }
    if (i % 1000 === 999) onProgress(i + 1)
  }
  return result
}

/** The claims that a library returns, or its error. */
async function describe(verify: () => unknown): Promise<string> {
  try {
    return JSON.stringify(await verify())
  } catch (err) {
    return String(err)
  }
}
