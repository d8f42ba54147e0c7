import type { Requirements } from './requirements.ts'
import { TokenError } from './token/error.ts'

/** The response to a refused request. */
export interface HttpRefusal {
  readonly status: number
  /** The `code` of the body. */
  readonly code: string
  readonly headers: Readonly<Record<string, string>>
  /** `application/problem+json` (RFC 9457) */
  readonly body: string
}

const UNAVAILABLE = {
  status: 503,
  code: 'verifier_unavailable',
  message: 'Tokens cannot be verified because of a fault in the service',
  claim: undefined,
} as const

const NOT_FOUND = {
  status: 404,
  code: 'not_found',
  message: 'No route matches this method and path',
  claim: undefined,
} as const

/**
 * RFC 9110 section 11.5. One name for all services, since one token opens them all. It is a
 * constant, so it tells a stranger nothing about the configuration.
 */
const REALM = 'Bearer realm="latchkey"'

const TITLES = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  503: 'Service Unavailable',
}
const ERRORS = { 400: 'invalid_request', 401: 'invalid_token', 403: 'insufficient_scope' }

/**
 * Describes the response to a refused request: status, challenge (RFC 6750 section 3), problem
 * document (RFC 9457).
 *
 * Anything but a `TokenError` is a fault of the server: 503 without a detail, and never 401, after
 * which a client would discard a good token.
 *
 * @param request_id ID of the request in the server's logs
 */
export function describeRefusal(
  error: unknown,
  requirements: Requirements = {},
  request_id?: string,
): HttpRefusal {
  return describe(error instanceof TokenError ? error : UNAVAILABLE, requirements, request_id)
}

/** Describes the response to a request that no route matches. */
export function describeNotFound(request_id: string): HttpRefusal {
  return describe(NOT_FOUND, {}, request_id)
}

function describe(
  { status, code, message: detail, claim }: TokenError | typeof UNAVAILABLE | typeof NOT_FOUND,
  requirements: Requirements,
  request_id: string | undefined,
): HttpRefusal {
  const challenge = describeChallenge(status, code, detail, requirements)
  const title = TITLES[status]
  return {
    status,
    code,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(challenge !== undefined && { 'www-authenticate': challenge }),
    },
    body: JSON.stringify({ type: 'about:blank', title, status, detail, code, claim, request_id }),
  }
}

function describeChallenge(
  status: keyof typeof TITLES,
  code: string,
  detail: string,
  { scopes }: Requirements,
): string | undefined {
  if (status === 503 || status === 404) return undefined
  if (code === 'token_missing') return REALM
  const scope = code === 'scope_insufficient' && scopes ? `, scope="${scopes.join(' ')}"` : ''
  return `${REALM}, error="${ERRORS[status]}", error_description="${detail}"${scope}`
}
