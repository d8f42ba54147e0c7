/**
 * Every way in which a token or a request can be refused: the HTTP status, a constant message that
 * never contains anything of the token, and the rule behind it. Codes are API: they do not change.
 */
const REFUSALS = {
  // RFC 6750 section 3: a request without credentials is told only which scheme to use.
  token_missing: { status: 401, message: 'An access token is required' },
  // RFC 7515 sections 2 and 5.2, RFC 7519 section 7.2, RFC 8259 section 4; at most `maxTokenBytes`.
  token_malformed: { status: 401, message: 'The access token is malformed' },
  // RFC 8725 sections 3.1 and 3.2: exactly one algorithm, fixed by the verifier, not by the token.
  token_algorithm: { status: 401, message: 'The algorithm of the access token is not accepted' },
  // RFC 8725 section 3.11, RFC 9068 section 4: a token for another purpose is not an access token.
  token_type: { status: 401, message: 'The type of the token is not accepted' },
  // RFC 7515 section 4.1.4.
  token_unknown_key: { status: 401, message: 'The access token is signed with an unknown key' },
  // RFC 7515 section 5.2, RFC 7518 section 3.2.
  token_signature: { status: 401, message: 'The signature of the access token does not match' },
  // RFC 7519 section 4.1.4: "on or after" the expiration time a token must not be accepted.
  token_expired: { status: 401, message: 'The access token has expired' },
  // RFC 7519 sections 4.1.5 and 4.1.6.
  token_not_yet_valid: { status: 401, message: 'The access token is not valid yet' },
  // RFC 7519 section 4: a claim is missing, of another type, or out of bounds.
  token_claim: { status: 401, message: 'A claim of the access token is missing or wrong' },
  // RFC 7519 section 4.1.1, RFC 9068 section 4.
  token_issuer: { status: 401, message: 'The issuer of the access token is not accepted' },
  // RFC 7519 section 4.1.3, RFC 8725 section 3.9.
  token_audience: { status: 401, message: 'The access token is meant for another audience' },
  // RFC 7009 section 2.1: revoked by its owner or by an administrator.
  token_revoked: { status: 401, message: 'The access token has been revoked' },
  // RFC 6750 section 3.1.
  scope_insufficient: { status: 403, message: 'The access token lacks a required scope' },
  role_insufficient: { status: 403, message: 'The access token lacks a required role' },
  // Faults of the server, so never 401: a client would discard a good token.
  keys_unavailable: { status: 503, message: 'The keys are not known yet; try again shortly' },
  revocations_stale: { status: 503, message: 'Revocations are out of date; try again shortly' },
} as const

/**
 * The stable code of a refusal.
 * @example
 * ```ts
 * import type { TokenErrorCode } from '@latchkey/verify'
 * const hints: { [code in TokenErrorCode]?: string } = { token_expired: 'Please sign in again' }
 * ```
 */
export type TokenErrorCode = keyof typeof REFUSALS

/**
 * The HTTP status that answers a refusal.
 * @example
 * ```ts
 * import type { TokenErrorStatus } from '@latchkey/verify'
 * const isServerFault = (status: TokenErrorStatus) => status === 503
 * ```
 */
export type TokenErrorStatus = 400 | 401 | 403 | 503

/**
 * A token, or the request carrying it, was refused.
 *
 * The message is constant for each `code`, contains nothing of the token, and is safe to show.
 *
 * @example
 * ```ts
 * import { TokenError } from '@latchkey/verify'
 * try {
 *   verifier.verify(token)
 * } catch (err) {
 *   if (err instanceof TokenError && err.code === 'token_expired') console.log('refresh it')
 * }
 * ```
 */
export class TokenError extends Error {
  /** The rule that refused the token. */
  readonly code: TokenErrorCode
  /** 401; 400 for a malformed request, 403 for a missing permission, 503 for a server fault. */
  readonly status: TokenErrorStatus
  /** The same as `status`, under the name that other error handlers read. */
  readonly statusCode: TokenErrorStatus
  /** The claim that was refused, if one was. */
  declare readonly claim?: string

  constructor(code: TokenErrorCode, claim?: string, status?: TokenErrorStatus) {
    super(REFUSALS[code].message)
    this.code = code
    this.status = status ?? REFUSALS[code].status
    this.statusCode = this.status
    if (claim !== undefined) this.claim = claim
  }
}
Object.defineProperty(TokenError.prototype, 'name', { value: 'TokenError' })

/**
 * The result of `check()` for a refused token.
 * @example
 * ```ts
 * import type { Refused } from '@latchkey/verify'
 * const isExpired = ({ error }: Refused) => error.code === 'token_expired'
 * ```
 */
export interface Refused {
  readonly ok: false
  readonly error: TokenError
}

/**
 * Creates a refusal to be returned many times: refusing must not cost more than accepting, so no
 * error is built and no stack recorded while tokens are checked.
 */
export function createRefusal(code: TokenErrorCode, claim?: string, status?: 400): Refused {
  const error = new TokenError(code, claim, status)
  Object.defineProperty(error, 'stack', { value: `TokenError: ${error.message}` })
  return Object.freeze({ ok: false, error: Object.freeze(error) })
}
