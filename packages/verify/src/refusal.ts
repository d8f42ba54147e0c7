import type { Requirements } from './requirements.ts'
import { TokenError } from './token/error.ts'

/** An answer to a refused request. */
export interface HttpRefusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** `application/problem+json` (RFC 9457) */
  readonly body: string
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
