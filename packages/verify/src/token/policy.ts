import { normaliseType } from './header.ts'
import type { Revocations, Staleness } from './types.ts'

/** What a token has to fulfil, whichever way its keys are given. */
export interface PolicyOptions {
  /** Accepted issuers (`iss`), compared as they are. Required. */
  issuer: string | readonly string[]
  /** Accepted audiences: one of them has to be in `aud`. Required; `false` accepts any audience. */
  audience: string | readonly string[] | false
  /**
   * Accepted `typ` headers, compared as RFC 7515 section 4.1.9 says; null accepts an absent one.
   * Default: `['at+jwt']`.
   */
  types?: readonly (string | null)[]
  /** How far the issuer's clock may differ from ours. Seconds, 0 to 60, default 5. */
  clockToleranceSeconds?: number
  /** `exp - iat` may not exceed it; without `iat`, `exp` minus now. Seconds, default 86,400. */
  maxLifetimeSeconds?: number
  /** Longer tokens are refused unread. 128 to 16,383, default 8,192. */
  maxTokenBytes?: number
  /**
   * Remembers verified tokens of up to 2 KB, so that a repeated one costs a look-up: at most `maxEntries`, 4 or more,
   * default 10,000. Time and revocation are checked on every use; a change of keys empties it. `false` turns it off.
   */
  cache?: { maxEntries?: number } | false
  /** Which tokens have been revoked, as `createRevocationFeed` knows. Default: none is. */
  revocations?: Revocations
  /** While revocations are stale: `allow`, the default, goes on with what is known; `deny` answers 503. */
  onStale?: 'allow' | 'deny'
  /** Revocations are stale when the last news are older. Seconds, 1 to 86,400, default 30. */
  maxStaleSeconds?: number
}

/** Options, checked and completed. */
export interface Policy {
  readonly issuers: ReadonlySet<string>
  /** undefined: any audience */
  readonly audiences: ReadonlySet<string> | undefined
  /** normalised */
  readonly types: ReadonlySet<string | null>
  readonly clockToleranceSeconds: number
  readonly maxLifetimeSeconds: number
  readonly maxTokenBytes: number
  /** 0: no cache */
  readonly cacheEntries: number
  readonly revocations: Revocations | undefined
  readonly onStale: 'allow' | 'deny'
  readonly maxStaleSeconds: number
}

const OPTIONS = new Set([
  'keys',
  'issuer',
  'audience',
  'types',
  'clockToleranceSeconds',
  'maxLifetimeSeconds',
  'maxTokenBytes',
  'cache',
  'revocations',
  'onStale',
  'maxStaleSeconds',
])

/**
 * Checks options.
 *
 * @throws TypeError when one is missing, unknown or of a wrong type
 * @throws RangeError when a number is out of bounds
 */
export function createPolicy(options: PolicyOptions): Policy {
  for (const name of Object.keys(options)) {
    if (!OPTIONS.has(name)) throw new TypeError(`there is no option ${JSON.stringify(name)}`)
  }
  const { issuer, audience, types = ['at+jwt'], cache = {}, revocations } = options
  if (audience === undefined) {
    throw new TypeError('audience is required: the name of this service, or false to accept any')
  }
  if (cache === null || (typeof cache !== 'object' && cache !== false)) {
    throw new TypeError('cache must be an object or false')
  }
  if (revocations !== undefined && !isRevocations(revocations)) {
    throw new TypeError('revocations must have isRevoked(), version and asOf, as a feed does')
  }
  checkStaleness(options)
  return {
    issuers: readNames('issuer', issuer),
    audiences: audience === false ? undefined : readNames('audience', audience),
    types: readTypes(types),
    clockToleranceSeconds: readNumber(
      'clockToleranceSeconds',
      options.clockToleranceSeconds,
      5,
      0,
      60,
    ),
    maxLifetimeSeconds: readNumber(
      'maxLifetimeSeconds',
      options.maxLifetimeSeconds,
      86_400,
      1,
      2 ** 31,
    ),
    // V8 hashes strings over 16,383 characters by length alone: longer ones would collide in every Map.
    maxTokenBytes: readNumber('maxTokenBytes', options.maxTokenBytes, 8192, 128, 16_383),
    cacheEntries:
      cache === false ? 0 : readNumber('cache.maxEntries', cache.maxEntries, 10_000, 4, 2 ** 22),
    revocations,
    onStale: options.onStale ?? 'allow',
    maxStaleSeconds: options.maxStaleSeconds ?? 30,
  }
}

/**
 * Checks what to do while revocations are stale, of a verifier or of a route.
 *
 * @throws TypeError or RangeError
 */
export function checkStaleness({ onStale, maxStaleSeconds }: Staleness): void {
  if (onStale !== undefined && onStale !== 'allow' && onStale !== 'deny') {
    throw new TypeError("onStale must be 'allow' or 'deny'")
  }
  readNumber('maxStaleSeconds', maxStaleSeconds, 30, 1, 86_400)
}

function isRevocations(value: Partial<Revocations> | null): boolean {
  return (
    typeof value?.isRevoked === 'function' &&
    typeof value.version === 'number' &&
    typeof value.asOf === 'number'
  )
}

function readNames(option: string, value: string | readonly string[]): ReadonlySet<string> {
  const names = typeof value === 'string' ? [value] : value
  const isValid =
    Array.isArray(names) &&
    names.length > 0 &&
    names.every((name: unknown) => typeof name === 'string' && name !== '')
  if (!isValid) throw new TypeError(`${option} must be a non-empty string, or an array of them`)
  return new Set(names)
}

function readTypes(types: readonly (string | null)[]): ReadonlySet<string | null> {
  const isValid =
    Array.isArray(types) &&
    types.length > 0 &&
    types.every((type: unknown) => type === null || (typeof type === 'string' && type !== ''))
  if (!isValid) throw new TypeError('types must be an array of media types, null among them or not')
  return new Set(types.map((type) => type && normaliseType(type)))
}

function readNumber(
  option: string,
  value: number | undefined,
  preset: number,
  min: number,
  max: number,
): number {
  if (value === undefined) return preset
  if (typeof value !== 'number') throw new TypeError(`${option} must be a number`)
  if (!(value >= min && value <= max)) throw new RangeError(`${option} must be ${min} to ${max}`)
  return value
}
