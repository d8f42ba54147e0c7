/**
 * Every way in which a token or a request can be refused: the HTTP status, a constant sentence that
 * never repeats anything of the token, and the rule behind it. Codes are API: they do not change.
 */
const REFUSALS = {
  // RFC 6750 section 3: a request without credentials is told only which scheme to use.
  token_missing: { status: 401, message: 'An access token is needed' },
  // RFC 7515 sections 2 and 5.2, RFC 7519 section 7.2, RFC 8259 section 4; at most `maxTokenBytes`.
  token_malformed: { status: 401, message: 'The access token is malformed' },
  // RFC 8725 sections 3.1 and 3.2: exactly one algorithm, fixed by the verifier and not by the token.
  token_algorithm: { status: 401, message: 'The access token is signed with another algorithm' },
  // RFC 8725 section 3.11, RFC 9068 section 4: a token made for another purpose is no access token.
  token_type: { status: 401, message: 'The token is of another type' },
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
  token_issuer: { status: 401, message: 'The access token comes from another issuer' },
  // RFC 7519 section 4.1.3, RFC 8725 section 3.9.
  token_audience: { status: 401, message: 'The access token is meant for another audience' },
  // RFC 7009 section 2.1: revoked by its owner or by an administrator.
  token_revoked: { status: 401, message: 'The access token has been revoked' },
  // RFC 6750 section 3.1.
  scope_insufficient: { status: 403, message: 'The access token does not permit this' },
  // Our own fault, so never 401: a client would throw a good token away.
  revocations_stale: { status: 503, message: 'Revocations are not known at the moment' },
} as const

/** The stable code of a refusal. */
export type TokenErrorCode = keyof typeof REFUSALS

/** The HTTP status that answers a refusal. */
export type TokenErrorStatus = 400 | 401 | 403 | 503

/**
 * A token, or the request carrying it, was refused.
 *
 * The message is constant for each `code` and safe to show; nothing of the token is in it.
 */
export class TokenError extends Error {
  /** Which rule refused the token. */
  readonly code: TokenErrorCode
  /** 401, or 400 for a malformed request, 403 for a missing permission, 503 when the fault is ours. */
  readonly status: TokenErrorStatus
  /** The claim at fault, where there is one. */
  declare readonly claim?: string

  constructor(code: TokenErrorCode, claim?: string, status?: TokenErrorStatus) {
    super(REFUSALS[code].message)
    this.code = code
    this.status = status ?? REFUSALS[code].status
    if (claim !== undefined) this.claim = claim
  }
}
Object.defineProperty(TokenError.prototype, 'name', { value: 'TokenError' })

/** What `check()` answers for a refused token. */
export interface Refused {
  readonly ok: false
  readonly error: TokenError
}

/**
 * A refusal to be handed out again and again: refusing must not cost more than accepting, so no
 * error is built, and no stack recorded, while tokens are checked.
 */
export function refusal(code: TokenErrorCode, claim?: string, status?: TokenErrorStatus): Refused {
  const error = new TokenError(code, claim, status)
  Object.defineProperty(error, 'stack', { value: `TokenError: ${error.message}` })
  return Object.freeze({ ok: false, error: Object.freeze(error) })
}
