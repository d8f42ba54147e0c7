import { checkTokenOption, readToken, refineResult } from './bearer.ts'
import { isJwks, type JwksOptions, toKeySource } from './keys/jwks-client.ts'
import { type KeysOption, readStaticKeys } from './keys/keys-option.ts'
import { OnDemandJwks } from './keys/on-demand-jwks.ts'
import { describeRefusal } from './refusal.ts'
import { authorize, checkRequirements, type Requirements } from './requirements.ts'
import { createRevocationFeed, type RevocationFeed } from './revocation/on-demand-feed.ts'
import { completeFeedOptions } from './token/feed-options.ts'
import { createPolicy, type PolicyOptions } from './token/policy.ts'
import { pickStaleness } from './token/staleness.ts'
import type { Claims, RegisteredClaims, Staleness } from './token/types.ts'
import { type CheckResult, requireClaims, Verification } from './token/verification.ts'
import { webPlatform } from './token/web-platform.ts'

export type { JwksOptions } from './keys/jwks-client.ts'
export { parseKeySet } from './keys/key-set.ts'
export { type EcKey, KeyringError, type KeySet } from './keys/keyring.ts'
export type { KeysOption, StaticKey } from './keys/keys-option.ts'
export type { Requirements } from './requirements.ts'
export { createRevocationFeed, type RevocationFeed } from './revocation/on-demand-feed.ts'
export { TokenError, type TokenErrorCode, type TokenErrorStatus } from './token/error.ts'
export type { FeedSettings, RevocationFeedOptions } from './token/feed-options.ts'
export type { PolicyOptions } from './token/policy.ts'
export * from './token/types.ts'
export type { CheckResult } from './token/verification.ts'

/**
 * Options of `createVerifier`.
 * @example
 * ```ts
 * import type { FetchVerifierOptions, KeysOption } from '@latchkey/verify/fetch'
 * const build = (keys: KeysOption): FetchVerifierOptions => ({ keys, issuer, audience: 'orders' })
 * ```
 */
export interface FetchVerifierOptions extends PolicyOptions {
  /**
   * `{ current: parseKeySet(text) }`, the address of public keys, keys with their IDs, or one secret
   * as bytes. Never a string. Nothing runs between two requests here, so about one request a minute
   * waits for public keys to be fetched.
   */
  keys: KeysOption | JwksOptions
  /**
   * Returns the token of a request that has none in its Authorization header, for example from a
   * cookie. A browser sends cookies with requests that other sites make: see the README on CSRF.
   */
  token?: (request: Request) => string | null | undefined
}

/**
 * The result of `authenticate`.
 * @example
 * ```ts
 * import type { AuthenticateResult } from '@latchkey/verify/fetch'
 * const reply = (r: AuthenticateResult) => (r.ok ? Response.json(r.claims) : r.response)
 * ```
 */
export type AuthenticateResult<Extra extends object = RegisteredClaims> =
  | { readonly ok: true; readonly claims: Claims & Readonly<Extra> }
  | { readonly ok: false; readonly error: unknown; readonly response: Response }

/**
 * Verifies access tokens with WebCrypto, which is asynchronous. See `createVerifier`.
 * @example
 * ```ts
 * import type { FetchVerifier } from '@latchkey/verify/fetch'
 * const allows = async (v: FetchVerifier, request: Request) => (await v.authenticate(request)).ok
 * ```
 */
export interface FetchVerifier<Extra extends object = RegisteredClaims> {
  /**
   * Resolves with the token's claims, frozen. Rejects with a TokenError for a refused token, and
   * with a TypeError when `staleness` is anything else, such as scopes or an audience.
   */
  verify(token: string, staleness?: Staleness): Promise<Claims & Readonly<Extra>>
  /** Like `verify`, but resolves with a value for a refused token too. */
  check(token: string, staleness?: Staleness): Promise<CheckResult<Extra>>
  /**
   * Checks the token of a request and the requirements of the route. Rejects only with a TypeError
   * or RangeError for wrong requirements.
   *
   * @returns the claims, or the response that refuses the request (RFC 6750, RFC 9457)
   */
  authenticate(request: Request, requirements?: Requirements): Promise<AuthenticateResult<Extra>>
}

/**
 * Creates a verifier for runtimes with Fetch and WebCrypto: edge functions, Hono, Deno, Bun.
 *
 * It accepts and refuses exactly the same tokens as the verifier of `@latchkey/verify`.
 *
 * @throws TypeError or RangeError when an option is missing or wrong
 * @throws KeyringError when the keys cannot be used
 * @example
 * ```ts
 * import { createVerifier, parseKeySet } from '@latchkey/verify/fetch'
 * const current = parseKeySet(process.env.LATCHKEY_KEYS ?? '')
 * const verifier = createVerifier({ keys: { current }, issuer, audience: 'orders' })
 *
 * export async function handle(request: Request): Promise<Response> {
 *   const result = await verifier.authenticate(request, { scopes: ['orders:read'] })
 *   return result.ok ? Response.json({ user: result.claims.sub }) : result.response
 * }
 * ```
 */
export function createVerifier<Extra extends object = RegisteredClaims>(
  options: FetchVerifierOptions,
): FetchVerifier<Extra> {
  const { token: readElsewhere, ...policyOptions } = options
  checkTokenOption(readElsewhere)
  const jwks = isJwks(options.keys) ? new OnDemandJwks(options.keys) : undefined
  const keys = jwks ? toKeySource(jwks) : readStaticKeys(options.keys as KeysOption)
  const policy = createPolicy(policyOptions, (settings) =>
    createRevocationFeed(completeFeedOptions(settings, options, keys, 'fetch')),
  )
  const { revocations } = policy
  const feed = revocations && 'refresh' in revocations ? (revocations as RevocationFeed) : undefined
  const verification = new Verification(policy, webPlatform, keys)
  const verifier: FetchVerifier<object> = {
    verify: async (token, staleness) => requireClaims(await verifier.check(token, staleness)),

    async check(token, staleness) {
      await jwks?.refresh()
      await feed?.refresh()
      const begun = verification.begin(token, staleness)
      if (begun.ok !== undefined) return begun
      const isValid = await begun.header.key.verify(token, begun.dot)
      return verification.finish(begun, isValid, staleness)
    },

    async authenticate(request, requirements = {}) {
      checkRequirements(requirements)
      const staleness = pickStaleness(requirements)
      let error: unknown
      try {
        // Several headers are joined by a comma, which no token contains.
        const authorization = request.headers.get('authorization')
        const token = readToken(authorization, readElsewhere && (() => readElsewhere(request)))
        const result =
          typeof token === 'string'
            ? refineResult(await verifier.check(token, staleness), authorization)
            : token
        const refused = result.ok ? authorize(result.claims, requirements) : result
        if (result.ok && refused === undefined) return result
        error = refused?.error
      } catch (err) {
        error = err
      }
      const { status, headers, body } = describeRefusal(error, requirements)
      return { ok: false, error, response: new Response(body, { status, headers }) }
    },
  }
  return verifier as FetchVerifier<Extra>
}
