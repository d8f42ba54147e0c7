import type { DecodeSegment } from '../encoding/base64url.ts'
import { isCanonicalBase64url } from '../encoding/base64url.ts'
import { parseJsonObject } from '../encoding/json.ts'
import { type CachedToken, TokenCache } from './cache.ts'
import { checkClaims, checkRevocation, checkTime } from './claims.ts'
import { type Refused, refusal } from './error.ts'
import { type AcceptedHeader, Headers } from './header.ts'
import type { Policy } from './policy.ts'
import type { Claims, RegisteredClaims, Staleness } from './types.ts'

/** What `check()` answers. */
export type CheckResult<Extra extends object = RegisteredClaims> =
  | { readonly ok: true; readonly claims: Claims & Readonly<Extra> }
  | Refused

const MISSING = refusal('token_missing')
const MALFORMED = refusal('token_malformed')
const SIGNATURE = refusal('token_signature')

/** Characters of an HS256 signature: 32 bytes in unpadded base64url. */
const SIGNATURE_LENGTH = 43

/** A token whose key is known and whose signature has to be computed now. */
export interface PendingToken<K> {
  readonly ok: undefined
  readonly token: string
  /** Length of the signing input (RFC 7515 section 5.1), and place of the second dot. */
  readonly dot: number
  readonly header: AcceptedHeader<K>
  readonly encodedHeader: string
  readonly keys: AdoptedKeys<K>
}

interface AdoptedKeys<K> {
  readonly headers: Headers<K & { readonly kid: string }>
  readonly cache: TokenCache | undefined
}

/** What differs between runtimes. */
export interface Platform {
  readonly decode: DecodeSegment
  /** Copies an ASCII string, so that it shares no memory with the request it came in. */
  readonly flatten: (text: string) => string
}

/**
 * All of verification but the HMAC, which some runtimes compute at once and others later: `begin`, compute
 * the signature that `signingInput` should have, `finish`.
 *
 * The order is the defence: the length before anything is hashed, the algorithm before the key,
 * the signature before any claim is read.
 */
export class Verification<K extends { readonly kid: string }> {
  readonly #policy: Policy
  readonly #platform: Platform
  #keys: AdoptedKeys<K>

  constructor(policy: Policy, platform: Platform) {
    this.#policy = policy
    this.#platform = platform
    this.#keys = this.#adopt([], undefined)
  }

  /** Takes over another set of keys. Whatever was learned or cached under the last one is forgotten. */
  adopt(keys: readonly K[], soleKey: K | undefined): void {
    this.#keys = this.#adopt(keys, soleKey)
  }

  #adopt(keys: readonly K[], soleKey: K | undefined): AdoptedKeys<K> {
    const { types, cacheEntries } = this.#policy
    return {
      headers: new Headers(keys, soleKey, types, this.#platform.decode),
      cache: cacheEntries === 0 ? undefined : new TokenCache(cacheEntries),
    }
  }

  /** Answers from the cache, refuses, or asks for the signature. */
  begin(token: string, staleness?: Staleness): CheckResult<object> | PendingToken<K> {
    if (typeof token !== 'string' || token === '') return MISSING
    if (token.length > this.#policy.maxTokenBytes) return MALFORMED
    const keys = this.#keys
    const cached = keys.cache?.find(token)
    if (cached !== undefined) return this.#recheck(cached, staleness)
    const dot = token.length - SIGNATURE_LENGTH - 1
    const first = token.indexOf('.')
    const second = token.indexOf('.', first + 1)
    if (first < 1 || second <= first + 1 || token.indexOf('.', second + 1) !== -1) return MALFORMED
    const encodedHeader = token.slice(0, first)
    const header = keys.headers.find(encodedHeader) ?? keys.headers.parse(encodedHeader)
    if (!header.ok) return header
    if (second !== dot) return this.#refuseSignature(token.slice(second + 1))
    return { ok: undefined, token, dot, header, encodedHeader, keys }
  }

  /**
   * Compares signatures, then reads and checks the claims.
   *
   * @param expected the right signature, or `undefined` when the signing input is not ASCII
   */
  finish(
    pending: PendingToken<K>,
    expected: string | undefined,
    staleness?: Staleness,
  ): CheckResult<object> {
    if (expected === undefined) return MALFORMED
    const { token, dot, header, encodedHeader, keys } = pending
    if (!endsWithSignature(token, expected)) return this.#refuseSignature(token.slice(dot + 1))
    const segment = this.#platform.decode(token.slice(encodedHeader.length + 1, dot))
    const claims = segment && (parseJsonObject(segment) as Claims | undefined)
    if (claims === undefined) return MALFORMED
    const now = Date.now() / 1000
    const refused =
      checkClaims(claims, this.#policy, header.isAccessToken) ??
      checkTime(claims, this.#policy, now) ??
      checkRevocation(claims, this.#policy, now, undefined, staleness)
    if (refused !== undefined) return refused
    keys.headers.learn(encodedHeader, header)
    const result = { ok: true, claims } as const
    if (keys.cache?.isWelcome(token)) {
      Object.freeze(result) // it will be handed out again
      keys.cache.add(this.#platform.flatten(token), {
        result,
        revocationsVersion: this.#policy.revocations?.version,
      })
    }
    return result
  }

  /** Checks what changes while a token is used: its time and, when there are other revocations, those. */
  #recheck(cached: CachedToken, staleness: Staleness | undefined): CheckResult<object> {
    const { result, revocationsVersion } = cached
    const { claims } = result
    const now = Date.now() / 1000
    const refused =
      checkTime(claims, this.#policy, now) ??
      checkRevocation(claims, this.#policy, now, revocationsVersion, staleness)
    if (refused !== undefined) return refused
    cached.revocationsVersion = this.#policy.revocations?.version
    return result
  }

  #refuseSignature(signature: string): Refused {
    return isCanonicalBase64url(signature) ? SIGNATURE : MALFORMED
  }
}

/**
 * Compares the signature at the end of the token, in time that does not depend on where it differs.
 * Comparing the encoded text also refuses every other spelling of the same bytes.
 */
function endsWithSignature(token: string, signature: string): boolean {
  const start = token.length - SIGNATURE_LENGTH
  let difference = signature.length ^ SIGNATURE_LENGTH
  for (let i = 0; i < SIGNATURE_LENGTH; i++) {
    difference |= token.charCodeAt(start + i) ^ signature.charCodeAt(i)
  }
  return difference === 0
}
