import { type DecodeSegment, isCanonicalBase64url } from '../encoding/base64url.ts'
import { parseJsonObject } from '../encoding/json.ts'
import type { Key, KeySet } from '../keys/keyring.ts'
import type { KeySource } from '../keys/keys-option.ts'
import { type CachedToken, TokenCache } from './cache.ts'
import { checkClaims, checkRevocation, checkTime } from './claims.ts'
import { createRefusal, type Refused, TokenError } from './error.ts'
import { type AcceptedHeader, Headers } from './header.ts'
import type { Policy } from './policy.ts'
import { checkStaleness } from './staleness.ts'
import type { Claims, RegisteredClaims, Staleness } from './types.ts'

/**
 * The result of `check()`.
 * @example
 * ```ts
 * import type { CheckResult } from '@latchkey/verify'
 * const describe = (result: CheckResult) => (result.ok ? result.claims.sub : result.error.code)
 * ```
 */
export type CheckResult<Extra extends object = RegisteredClaims> =
  | { readonly ok: true; readonly claims: Claims & Readonly<Extra> }
  | Refused

const MISSING = createRefusal('token_missing')
const MALFORMED = createRefusal('token_malformed')
const SIGNATURE = createRefusal('token_signature')
const UNAVAILABLE = createRefusal('keys_unavailable')

/** Characters of a signature in unpadded base64url: of 32 and of 64 bytes. */
const SIGNATURE_LENGTHS = { HS256: 43, ES256: 86 } as const

/** A key as a platform prepares it. */
export interface PlatformKey {
  readonly kid: string
  readonly alg: Key['alg']
}

/** A token whose key is known and whose signature has yet to be checked. */
export interface PendingToken<K> {
  readonly ok: undefined
  readonly token: string
  /** Length of the signing input (RFC 7515 section 5.1), and place of the second dot. */
  readonly dot: number
  readonly header: AcceptedHeader<K>
  readonly encodedHeader: string
  readonly keys: AdoptedKeys<K>
}

/** A set of keys in use, with all that was learned under it. */
interface AdoptedKeys<K> {
  readonly set: KeySet
  readonly headers: Headers<K & PlatformKey>
  readonly cache: TokenCache | undefined
}

/** What differs between runtimes. */
export interface Platform<K> {
  /** Decodes a segment, which is ASCII. */
  readonly decode: DecodeSegment
  readonly isAscii: (text: string) => boolean
  /** Copies an ASCII string, so that it shares no memory with the request it arrived in. */
  readonly flatten: (text: string) => string
  /** Prepares a key for signing inputs (RFC 7515 section 5.1) of up to `maxTextBytes`. */
  readonly makeKey: (key: Key, maxTextBytes: number) => K
}

/**
 * All of verification except the signature, which Node checks synchronously and WebCrypto
 * asynchronously: `begin`, check the signature of the pending token, `finish`.
 *
 * The order is the defence: the length before anything is hashed, the algorithm before the key,
 * the signature before any claim is read.
 */
export class Verification<K extends PlatformKey> {
  readonly #policy: Policy
  readonly #platform: Platform<K>
  readonly #source: KeySource
  #adopted: AdoptedKeys<K> | undefined
  /** The last that was checked: callers usually pass the same object, or none. */
  #staleness: Staleness | undefined

  constructor(policy: Policy, platform: Platform<K>, source: KeySource) {
    this.#policy = policy
    this.#platform = platform
    this.#source = source
  }

  /** Answers from the cache, refuses, or returns a token whose signature has to be checked. */
  begin(token: string, staleness?: Staleness): CheckResult<object> | PendingToken<K> {
    if (staleness !== undefined && staleness !== this.#staleness) this.#checkStaleness(staleness)
    if (typeof token !== 'string' || token === '') return MISSING
    if (token.length > this.#policy.maxTokenBytes) return MALFORMED
    const keys = this.#adoptKeys()
    if (keys === undefined) return UNAVAILABLE
    const cached = keys.cache?.find(token)
    if (cached !== undefined) return this.#recheck(cached, staleness)
    if (!this.#platform.isAscii(token)) return MALFORMED
    const first = token.indexOf('.')
    const second = token.indexOf('.', first + 1)
    if (first < 1 || second <= first + 1 || token.indexOf('.', second + 1) !== -1) return MALFORMED
    const encodedHeader = token.slice(0, first)
    const header = keys.headers.find(encodedHeader) ?? keys.headers.parse(encodedHeader)
    if (!header.ok) {
      if (header.error.code === 'token_unknown_key') this.#source.onUnknownKey?.()
      return header
    }
    const signatureLength = token.length - second - 1
    if (signatureLength !== SIGNATURE_LENGTHS[header.key.alg]) {
      return this.#refuseSignature(token.slice(second + 1))
    }
    return { ok: undefined, token, dot: second, header, encodedHeader, keys }
  }

  /** Parses and checks the claims, if the signature is valid. */
  finish(pending: PendingToken<K>, isValid: boolean, staleness?: Staleness): CheckResult<object> {
    const { token, dot, header, encodedHeader, keys } = pending
    if (!isValid) return this.#refuseSignature(token.slice(dot + 1))
    const segment = this.#platform.decode(token.slice(encodedHeader.length + 1, dot))
    const claims = segment && (parseJsonObject(segment) as Claims | undefined)
    if (claims === undefined) return MALFORMED
    const now = Date.now() / 1000
    const refused =
      checkClaims(claims, this.#policy, header.isAccessToken) ??
      checkTime(claims, this.#policy, now) ??
      checkRevocation(claims, this.#policy, undefined, staleness)
    if (refused !== undefined) return refused
    keys.headers.learn(encodedHeader, header)
    const result = { ok: true, claims } as const
    // A token that is used once is worth a place only where a check costs far more.
    const { cache } = keys
    if (cache && (header.key.alg === 'ES256' ? cache.accepts(token) : cache.noteSighting(token))) {
      Object.freeze(result) // later calls return the same object
      cache.add(this.#platform.flatten(token), {
        result,
        revocationsVersion: this.#policy.revocations?.version,
      })
    }
    return result
  }

  /** The keys now in use. A new set drops whatever was learned or cached under the previous one. */
  #adoptKeys(): AdoptedKeys<K> | undefined {
    const { current: set } = this.#source.ring
    if (set === undefined) return undefined
    if (this.#adopted?.set === set) return this.#adopted
    const { types, cacheEntries, maxTokenBytes } = this.#policy
    const keys = set.keys.map((key) => this.#platform.makeKey(key, maxTokenBytes))
    const soleKey = this.#source.isSole ? keys[0] : undefined
    this.#adopted = {
      set,
      headers: new Headers(keys, soleKey, types, this.#platform.decode),
      cache: cacheEntries === 0 ? undefined : new TokenCache(cacheEntries),
    }
    return this.#adopted
  }

  #checkStaleness(staleness: Staleness): void {
    checkStaleness(staleness)
    this.#staleness = staleness
  }

  /** Checks what can change while a token is in use: its time and the revocations. */
  #recheck(cached: CachedToken, staleness: Staleness | undefined): CheckResult<object> {
    const { result, revocationsVersion } = cached
    const { claims } = result
    const now = Date.now() / 1000
    const refused =
      checkTime(claims, this.#policy, now) ??
      checkRevocation(claims, this.#policy, revocationsVersion, staleness)
    if (refused !== undefined) return refused
    cached.revocationsVersion = this.#policy.revocations?.version
    return result
  }

  #refuseSignature(signature: string): Refused {
    return isCanonicalBase64url(signature) ? SIGNATURE : MALFORMED
  }
}

/** The claims of an accepted token. For a refused one, throws a new error with its own stack. */
export function requireClaims(result: CheckResult<object>): Claims {
  if (result.ok) return result.claims
  throw new TokenError(result.error.code, result.error.claim)
}
