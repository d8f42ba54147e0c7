import { hostname } from 'node:os'
import { BackgroundJwks, type Jwks } from './keys/jwks.ts'
import { isJwks, type JwksOptions, toKeySource } from './keys/jwks-client.ts'
import { openKeyring } from './keys/keyring-file.ts'
import { type KeySource, type KeysOption, readStaticKeys } from './keys/keys-option.ts'
import { checkNames } from './options/check-names.ts'
import { createRevocationFeed, type RevocationFeed } from './revocation/feed.ts'
import { limits } from './token/bounds.ts'
import { completeFeedOptions } from './token/feed-options.ts'
import { nodePlatform } from './token/node-platform.ts'
import { createPolicy, type PolicyOptions } from './token/policy.ts'
import type { Claims, RegisteredClaims, Staleness } from './token/types.ts'
import { type CheckResult, requireClaims, Verification } from './token/verification.ts'

/**
 * Options of `createVerifier`.
 * @example
 * ```ts
 * import type { VerifierOptions } from '@latchkey/verify'
 * const options: VerifierOptions = { keys: { file: 'keys.json' }, issuer, audience: 'orders' }
 * ```
 */
export interface VerifierOptions extends PolicyOptions {
  /**
   * The keys: a keyring (`openKeyring`), the path of a JWK Set file that is followed, the address
   * of public keys that are fetched in the background, keys with their IDs, or the bytes of one
   * secret, whose tokens need no `kid`. Never a string.
   */
  keys: KeysOption | { file: string } | JwksOptions
}

/**
 * Verifies access tokens. See `createVerifier`.
 * @example
 * ```ts
 * import type { Verifier } from '@latchkey/verify'
 * const findUser = (verifier: Verifier, token: string) => verifier.verify(token).sub
 * ```
 */
export interface Verifier<Extra extends object = RegisteredClaims> {
  /**
   * @param token a JWS in compact serialisation (RFC 7515 section 3.1)
   * @param staleness what to do while revocations are stale; takes precedence over the options
   * @returns the token's claims, frozen
   * @throws TokenError when the token is refused
   * @throws TypeError when `staleness` is anything else, such as scopes or an audience
   */
  verify(token: string, staleness?: Staleness): Claims & Readonly<Extra>
  /** Like `verify`, but no token makes it throw, and it builds no error for a refused one. */
  check(token: string, staleness?: Staleness): CheckResult<Extra>
  /** The feed, if `revocations` is one. Call its `close` to stop polling. */
  readonly revocations?: RevocationFeed | undefined
  /** The public keys, with `keys: { jwks }`. Call its `close` to stop fetching. */
  readonly jwks?: Jwks | undefined
}

/**
 * Creates a verifier of access tokens that are signed with HS256 or ES256. It is synchronous and in
 * process: it calls no server.
 *
 * @typeParam Extra additional claims, for the compiler; a token is not required to have them
 * @throws TypeError or RangeError when an option is missing or wrong
 * @throws KeyringError when the keys cannot be used
 * @example
 * ```ts
 * import { createVerifier } from '@latchkey/verify'
 * const verifier = createVerifier({ keys: { file: 'keys.json' }, issuer, audience: 'orders' })
 * const claims = verifier.verify(token) // throws TokenError
 * const result = verifier.check(token) // { ok: true, claims } or { ok: false, error }
 * ```
 */
export function createVerifier<Extra extends object = RegisteredClaims>(
  options: VerifierOptions,
): Verifier<Extra> {
  const jwks = isJwks(options.keys) ? new BackgroundJwks(options.keys) : undefined
  const keys = jwks
    ? toKeySource(jwks)
    : readKeys(options.keys as Exclude<VerifierOptions['keys'], JwksOptions>)
  const policy = createPolicy(options, (settings) => {
    const instance = `${hostname()}-${process.pid}`.slice(-limits.maxInstanceLength)
    return createRevocationFeed(completeFeedOptions(settings, options, keys, instance))
  })
  const verification = new Verification(policy, nodePlatform, keys)
  jwks?.start()
  const { revocations } = policy
  const isFeed = revocations !== undefined && 'catchUp' in revocations
  const verifier: Verifier<object> = {
    jwks,
    revocations: isFeed ? (revocations as RevocationFeed) : undefined,
    verify: (token, staleness) => requireClaims(verifier.check(token, staleness)),
    check(token, staleness) {
      const begun = verification.begin(token, staleness)
      if (begun.ok !== undefined) return begun
      return verification.finish(begun, begun.header.key.verify(token, begun.dot), staleness)
    },
  }
  return verifier as Verifier<Extra>
}

function readKeys(keys: KeysOption | { file: string }): KeySource {
  if (typeof keys === 'object' && keys !== null && 'file' in keys) {
    checkNames(keys, 'option', ['file'])
    return { ring: openKeyring(keys.file), isSole: false }
  }
  return readStaticKeys(keys)
}
