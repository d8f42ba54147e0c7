import { type Refused, refusal, TokenError } from './token/error.ts'
import { checkStaleness } from './token/policy.ts'
import type { Claims, Role, Scope, Staleness } from './token/types.ts'
import type { CheckResult } from './token/verification.ts'

const MISSING = refusal('token_missing')
const MALFORMED_REQUEST = refusal('token_malformed', undefined, 400)

/** The syntax of a token in an Authorization header (RFC 6750 section 2.1). */
const B64TOKEN = /^[\w.~+/-]+=*$/

/** What a route asks for in addition to a good token. */
export interface Requirements extends Staleness {
  /** Scope values that the token has to hold, all of them. */
  readonly scopes?: readonly Scope[]
  /** Roles that the token has to hold, all of them. */
  readonly roles?: readonly Role[]
}

/** An answer to a refused request. */
export interface HttpRefusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** `application/problem+json` (RFC 9457) */
  readonly body: string
}

/**
 * Reads the token of an Authorization header (RFC 9110 section 11.4, RFC 6750 section 2.1): the scheme in any
 * case, then one or more spaces.
 *
 * @returns the token, not examined any further
 */
export function readBearerToken(authorization: string | null | undefined): string | Refused {
  if (!authorization || !/^bearer(?![\w!#$%&'*+.^`|~-])/i.test(authorization)) return MISSING
  let start = 6
  while (authorization.charCodeAt(start) === 0x20) start++
  return start > 6 && start < authorization.length ? authorization.slice(start) : MALFORMED_REQUEST
}

/** What is read of a request to Node's HTTP server. */
interface NodeRequest {
  readonly headers: { readonly authorization?: string | undefined }
  /** Names and values by turns. */
  readonly rawHeaders: readonly string[]
}

/** Checks the token of a request to Node's HTTP server; several Authorization headers are refused. */
export function checkRequest<Extra extends object>(
  verifier: { check(token: string, staleness?: Staleness): CheckResult<Extra> },
  request: NodeRequest,
  staleness?: Staleness,
): CheckResult<Extra> {
  const { authorization } = request.headers
  if (authorization === undefined) return MISSING
  if (hasSeveralAuthorizations(request.rawHeaders)) return MALFORMED_REQUEST
  const token = readBearerToken(authorization)
  if (typeof token !== 'string') return token
  return refineResult(verifier.check(token, staleness), token)
}

/** Whether there are several Authorization headers, of which Node shows only the first. */
function hasSeveralAuthorizations(rawHeaders: readonly string[]): boolean {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length === 13 && name.toLowerCase() === 'authorization') count++
  }
  return count > 1
}

/** Tells a malformed token (401) from a header that can hold no token (400; RFC 6750 section 3.1). */
export function refineResult<Result extends CheckResult<object>>(
  result: Result,
  token: string,
): Result | Refused {
  const isHeaderWrong =
    !result.ok && result.error.code === 'token_malformed' && !B64TOKEN.test(token)
  return isHeaderWrong ? MALFORMED_REQUEST : result
}

/** Checks that claims hold what a route asks for. */
export function authorize(claims: Claims, { scopes, roles }: Requirements): Refused | undefined {
  if (scopes !== undefined && scopes.length > 0) {
    const held = ` ${claims.scope ?? ''} `
    for (const scope of scopes) if (!held.includes(` ${scope} `)) return SCOPE
  }
  if (roles !== undefined) {
    for (const role of roles) if (!claims.roles?.includes(role)) return ROLES
  }
  return undefined
}

const SCOPE = refusal('scope_insufficient', 'scope')
const ROLES = refusal('scope_insufficient', 'roles')

/**
 * Checks requirements while a route is being set up.
 *
 * @throws TypeError when one is no array of scope values (RFC 6749 section 3.3) or roles
 */
export function checkRequirements({ scopes, roles, ...staleness }: Requirements): void {
  checkStaleness(staleness)
  for (const [name, values] of Object.entries({ scopes, roles })) {
    if (values === undefined) continue
    if (
      !Array.isArray(values) ||
      values.some((value) => typeof value !== 'string' || value === '')
    ) {
      throw new TypeError(`${name} must be an array of strings`)
    }
  }
  if (scopes?.some((scope) => !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))) {
    throw new TypeError('each of scopes must be one scope value')
  }
}

/**
 * Describes the answer to a refused request: status, challenge (RFC 6750 section 3), problem (RFC 9457).
 *
 * Anything but a `TokenError` is our own fault: 503 without a detail, and never 401, upon which a client
 * would throw a good token away.
 *
 * @param requestId where the server names its requests, to find this one in its logs
 */
export function describeRefusal(
  error: unknown,
  requirements: Requirements = {},
  requestId?: string,
): HttpRefusal {
  const { status, code, message, claim } =
    error instanceof TokenError
      ? error
      : ({
          status: 503,
          code: 'verifier_unavailable',
          message: 'Tokens cannot be verified',
        } as const)
  const challenge = describeChallenge(status, code, message, requirements)
  return {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(challenge !== undefined && { 'www-authenticate': challenge }),
    },
    body: JSON.stringify({
      type: 'about:blank',
      title: TITLES[status],
      status,
      detail: message,
      code,
      claim,
      request_id: requestId,
    }),
  }
}

const TITLES = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  503: 'Service Unavailable',
}
const ERRORS = { 400: 'invalid_request', 401: 'invalid_token', 403: 'insufficient_scope' }

function describeChallenge(
  status: keyof typeof TITLES,
  code: string,
  message: string,
  { scopes }: Requirements,
): string | undefined {
  if (status === 503) return undefined
  if (code === 'token_missing') return 'Bearer'
  const scope = status === 403 && scopes?.length ? `, scope="${scopes.join(' ')}"` : ''
  return `Bearer error="${ERRORS[status]}", error_description="${message}"${scope}`
}
