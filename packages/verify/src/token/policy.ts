import { checkNames } from '../options/check-names.ts'
import { limits, readNumbers } from './bounds.ts'
import type { FeedSettings } from './feed-options.ts'
import { checkStalenessValues, STALENESS_BOUNDS } from './staleness.ts'
import type { Revocations } from './types.ts'

/**
 * The rules that a token must meet. See `createVerifier`.
 * @example
 * ```ts
 * import type { PolicyOptions } from '@latchkey/verify'
 * const policy: PolicyOptions = { issuer, audience: 'orders', maxLifetimeSeconds: 900 }
 * ```
 */
export interface PolicyOptions {
  /** Accepted issuers (`iss`), compared exactly. Required. */
  issuer: string | readonly string[]
  /** Accepted audiences: `aud` must contain one of them. Required; `false` accepts any audience. */
  audience: string | readonly string[] | false
  /**
   * Accepted `typ` headers, compared as in RFC 7515 section 4.1.9; null accepts a token without it.
   * Default: `['at+jwt']`.
   */
  types?: readonly (string | null)[]
  /**
   * Largest accepted difference from the issuer's clock. Seconds, 0 to 60, default 5. With less
   * than 3, a token issued just after its user lost a role or scope may be refused for up to 3 s:
   * its `iat` is then up to 3 s ahead of the clock.
   */
  clockToleranceSeconds?: number
  /**
   * Maximum of `exp - iat`; without `iat`, of `exp` minus now. Seconds, default 3,600, which is
   * also the maximum with a revocation feed: a longer token would outlive its revocation there.
   * For the same reason a token without `iat` is refused with a feed.
   */
  maxLifetimeSeconds?: number
  /** Longer tokens are refused without being read. 128 to 16,383, default 8,192. */
  maxTokenBytes?: number
  /**
   * Keeps verified tokens of up to 2 KB, at most `maxEntries` (4 or more, default 10,000), so that
   * a repeated token costs one look-up. Every use checks time and revocation; a change of keys
   * empties the cache. `false` turns it off.
   */
  cache?: { maxEntries?: number } | false
  /**
   * Source of revocations: `{ url }` of the auth service, or a feed from `createRevocationFeed`.
   * Without it a token is accepted until it expires, also after a logout or a ban.
   */
  revocations?: Revocations | FeedSettings
  /**
   * What to do while revocations are stale: `allow` (the default) verifies with the known
   * ones, `deny` answers 503.
   */
  onStale?: 'allow' | 'deny'
  /** Age from which revocations are stale. Seconds, 1 to 86,400, default 30. */
  maxStaleSeconds?: number
}

/** Validated options, with defaults. */
export type Policy = ReturnType<typeof createPolicy<Revocations>>

const BOUNDS = {
  clockToleranceSeconds: [limits.defaultClockToleranceSeconds, 0, limits.maxClockToleranceSeconds],
  maxLifetimeSeconds: [limits.maxRevocableLifetimeSeconds, 1, 2 ** 31],
  // V8 hashes strings over 16,383 characters by length alone: longer ones would collide in a Map.
  maxTokenBytes: [8_192, 128, 16_383],
  ...STALENESS_BOUNDS,
} as const
const CACHE_BOUNDS = { maxEntries: [10_000, 4, 2 ** 22] } as const

const OPTIONS = [
  ...['keys', 'issuer', 'audience', 'types', 'cache', 'revocations', 'onStale'],
  ...Object.keys(BOUNDS),
]

/**
 * Validates options.
 *
 * @param createFeed creates the feed of `revocations: { url }`, when all other options are valid
 * @throws TypeError when one is missing, unknown or of a wrong type
 * @throws RangeError when a number is out of bounds
 */
export function createPolicy<Feed extends Revocations>(
  options: PolicyOptions,
  createFeed: (settings: FeedSettings) => Feed,
) {
  checkNames(options, 'option', OPTIONS)
  const { issuer, audience, types = ['at+jwt'], cache = {}, revocations } = options
  if (audience === undefined) {
    throw new TypeError('audience is required: the name of this service, or false to accept any')
  }
  if (cache === null || (typeof cache !== 'object' && cache !== false)) {
    throw new TypeError('cache must be an object or false')
  }
  if (cache) checkNames(cache, 'cache option', Object.keys(CACHE_BOUNDS))
  checkStalenessValues(options)
  const numbers = readNumbers(options, BOUNDS)
  checkRevocationOptions(options, numbers.maxLifetimeSeconds)
  return {
    ...numbers,
    issuers: readNames('issuer', issuer),
    /** undefined: any audience */
    audiences: audience === false ? undefined : readNames('audience', audience),
    types: readTypes(types),
    /** 0: no cache */
    cacheEntries: cache === false ? 0 : readNumbers(cache, CACHE_BOUNDS).maxEntries,
    onStale: options.onStale ?? 'allow',
    /** The revocations are forgotten when no token of `maxLifetimeSeconds` can be valid. */
    isForgetful: isFeed(revocations),
    revocations: isFeedSettings(revocations) ? createFeed(revocations) : revocations,
  }
}

function checkRevocationOptions(options: PolicyOptions, maxLifetimeSeconds: number): void {
  const { revocations, onStale, maxStaleSeconds } = options
  if (revocations === undefined) {
    if (onStale !== 'deny' && maxStaleSeconds === undefined) return
    throw new TypeError('onStale and maxStaleSeconds have no effect without revocations')
  }
  if (!isFeedSettings(revocations) && !isRevocations(revocations)) {
    throw new TypeError('revocations must be { url }, or have isRevoked(), version and ageSeconds')
  }
  const { maxRevocableLifetimeSeconds: max } = limits
  if (isFeed(revocations) && maxLifetimeSeconds > max) {
    throw new RangeError(
      `maxLifetimeSeconds must be at most ${max} with a revocation feed, which forgets then`,
    )
  }
}

/** Whether revocations come from the auth service, not from the application. */
function isFeed(revocations: PolicyOptions['revocations']): boolean {
  return isFeedSettings(revocations) || (revocations !== undefined && 'entries' in revocations)
}

function isFeedSettings(value: PolicyOptions['revocations']): value is FeedSettings {
  return typeof value === 'object' && value !== null && 'url' in value && !('isRevoked' in value)
}

/** Normalises a `typ`, whose "application/" may be missing (RFC 7515 section 4.1.9). */
export function normaliseType(typ: string): string {
  return typ.toLowerCase().replace(/^application\/(?=[^/]*$)/, '')
}

function isRevocations(value: Partial<Revocations> | null): boolean {
  return (
    typeof value?.isRevoked === 'function' &&
    typeof value.version === 'number' &&
    typeof value.ageSeconds === 'number'
  )
}

function readNames(option: string, value: string | readonly string[]): ReadonlySet<string> {
  const names = typeof value === 'string' ? [value] : value
  if (isFilledArray(names, (name) => typeof name === 'string' && name !== '')) return new Set(names)
  throw new TypeError(`${option} must be a non-empty string or a non-empty array of them`)
}

function readTypes(types: readonly (string | null)[]): ReadonlySet<string | null> {
  if (isFilledArray(types, (type) => type === null || (typeof type === 'string' && type !== ''))) {
    return new Set(types.map((type) => type && normaliseType(type)))
  }
  throw new TypeError('types must be a non-empty array of media types or null')
}

function isFilledArray(value: unknown, isElement: (element: unknown) => boolean): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isElement)
}
