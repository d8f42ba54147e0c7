import { createRefusal, type Refused } from './token/error.ts'
import type { Staleness } from './token/types.ts'
import type { CheckResult } from './token/verification.ts'

const MISSING = createRefusal('token_missing')
const MALFORMED_REQUEST = createRefusal('token_malformed', undefined, 400)

/** Spaces, then anything but a token as RFC 6750 section 2.1 defines its syntax. */
const MALFORMED_HEADER = /^bearer +(?! |[\w.~+/-]+=*$)/i

/**
 * Reads the token of an Authorization header (RFC 9110 section 11.4, RFC 6750 section 2.1): the
 * scheme in any case, then one or more spaces. Not checked: the token itself.
 */
function readBearerToken(authorization: string | null | undefined): string | Refused {
  if (!authorization || !/^bearer(?![\w!#$%&'*+.^`|~-])/i.test(authorization)) return MISSING
  let start = 6
  while (authorization.charCodeAt(start) === 0x20) start++
  return start > 6 && start < authorization.length ? authorization.slice(start) : MALFORMED_REQUEST
}

/** The part of a request to Node's HTTP server that is read. */
interface NodeRequest {
  readonly headers: { readonly authorization?: string | undefined }
  /** Names and values in turn. Requests of `injectWS` of @fastify/websocket have none. */
  readonly rawHeaders?: readonly string[]
}

/**
 * Checks the token of a request to Node's HTTP server: of its Authorization header or, if that has
 * none, the one that `readElsewhere` returns. Refuses a second Authorization header.
 */
export function checkRequest<Extra extends object>(
  verifier: { check(token: string, staleness?: Staleness): CheckResult<Extra> },
  request: NodeRequest,
  staleness?: Staleness,
  readElsewhere?: () => unknown,
): CheckResult<Extra> {
  if (hasSeveralAuthorizations(request.rawHeaders)) return MALFORMED_REQUEST
  const token = readToken(request.headers.authorization, readElsewhere)
  if (typeof token !== 'string') return token
  return refineResult(verifier.check(token, staleness), request.headers.authorization)
}

/** Refuses a `token` option that is not a function. */
export function checkTokenOption(token: unknown): void {
  if (token !== undefined && typeof token !== 'function') {
    throw new TypeError('token must be a function that returns the token of a request')
  }
}

/**
 * Reads the token of an Authorization header or, if that has none, of another place.
 *
 * @throws TypeError when `readElsewhere` returns anything but a string, undefined or null
 */
export function readToken(
  authorization: string | null | undefined,
  readElsewhere: (() => unknown) | undefined,
): string | Refused {
  const found = readBearerToken(authorization)
  if (found !== MISSING || readElsewhere === undefined) return found
  const token = readElsewhere() ?? ''
  if (typeof token !== 'string') throw new TypeError('token must return a string or undefined')
  return token === '' ? MISSING : token
}

/** Whether there are several Authorization headers. Node's `headers` has only the first. */
function hasSeveralAuthorizations(rawHeaders: readonly string[] = []): boolean {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length === 13 && name.toLowerCase() === 'authorization') count++
  }
  return count > 1
}

/** Tells a malformed token (401) from a malformed header (400; RFC 6750 section 3.1). */
export function refineResult<Result extends CheckResult<object>>(
  result: Result,
  authorization: string | null | undefined,
): Result | Refused {
  const isHeaderWrong =
    !result.ok &&
    result.error.code === 'token_malformed' &&
    MALFORMED_HEADER.test(authorization ?? '')
  return isHeaderWrong ? MALFORMED_REQUEST : result
}
