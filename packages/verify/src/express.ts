import type { IncomingMessage, ServerResponse } from 'node:http'
import { checkRequest } from './bearer.ts'
import { describeRefusal } from './refusal.ts'
import { authorize, checkRequirements, type Requirements } from './requirements.ts'
import { refusal } from './token/error.ts'
import { checkStaleness } from './token/policy.ts'
import type { Claims, RegisteredClaims, Staleness } from './token/types.ts'
import { createVerifier, type Verifier, type VerifierOptions } from './verifier.ts'

/** What `req.auth` holds. */
export type Auth = Claims & Readonly<RegisteredClaims>

declare global {
  namespace Express {
    interface Request {
      /** The verified claims, behind the middleware of `@latchkey/verify/express`. */
      auth?: Auth
    }
  }
}

/** Middleware of Express, of Connect, or called from a `node:http` server. */
export type Middleware = (
  req: IncomingMessage & { auth?: Auth },
  res: ServerResponse,
  next: (err?: unknown) => void,
) => void

const MISSING = refusal('token_missing')

/**
 * Makes middleware that lets a request pass only with a good token, and puts its claims into `req.auth`. Mount it
 * before everything it has to protect.
 *
 * Refusals are answered at once, as RFC 6750 and RFC 9457 say; `next` is then not called.
 *
 * @param options a verifier, or the options of one
 * @param staleness what to do while revocations are stale, if not what the options say
 */
export function latchkey(
  options: { verifier: Verifier } | VerifierOptions,
  staleness: Staleness = {},
): Middleware {
  checkStaleness(staleness)
  const verifier = 'verifier' in options ? options.verifier : createVerifier(options)
  return function authenticate(req, res, next) {
    try {
      const result = checkRequest(verifier, req, staleness)
      if (!result.ok) return answer(res, result.error, {})
      req.auth = result.claims
    } catch (err) {
      return answer(res, err, {})
    }
    next()
  }
}

/**
 * Makes middleware that lets a request pass only if its token holds all the scopes and roles. Mount it behind
 * `latchkey`: without that no request passes.
 */
export function requires(requirements: Requirements): Middleware {
  checkRequirements(requirements)
  return function authorizeRequest(req, res, next) {
    const refused = req.auth === undefined ? MISSING : authorize(req.auth, requirements)
    if (refused !== undefined) return answer(res, refused.error, requirements)
    next()
  }
}

function answer(res: ServerResponse, error: unknown, requirements: Requirements): void {
  const { status, headers, body } = describeRefusal(error, requirements)
  res.writeHead(status, headers).end(body)
}
