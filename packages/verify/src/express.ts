import type { IncomingMessage, ServerResponse } from 'node:http'
import { checkRequest } from './bearer.ts'
import { describeRefusal } from './refusal.ts'
import { authorize, checkRequirements, type Requirements } from './requirements.ts'
import { createRefusal } from './token/error.ts'
import { checkStaleness } from './token/policy.ts'
import type { Claims, RegisteredClaims, Staleness } from './token/types.ts'
import { createVerifier, type Verifier, type VerifierOptions } from './verifier.ts'

/**
 * The type of `req.auth`.
 * @example
 * ```ts
 * import type { Auth } from '@latchkey/verify/express'
 * const isAdmin = ({ roles }: Auth) => roles?.includes('admin') ?? false
 * ```
 */
export type Auth = Claims & Readonly<RegisteredClaims>

declare global {
  namespace Express {
    interface Request {
      /** The verified claims, set by the middleware of `@latchkey/verify/express`. */
      auth?: Auth
    }
  }
}

/**
 * Middleware for Express, Connect or a `node:http` server.
 * @example
 * ```ts
 * import { latchkey, type Middleware } from '@latchkey/verify/express'
 * const guard: Middleware = latchkey({ verifier })
 * ```
 */
export type Middleware = (
  req: IncomingMessage & { auth?: Auth },
  res: ServerResponse,
  next: (err?: unknown) => void,
) => void

const MISSING = createRefusal('token_missing')

/**
 * Creates middleware that passes only requests with a valid token, and sets `req.auth` to its
 * claims. Mount it before the routes that it protects.
 *
 * It answers refused requests itself (RFC 6750, RFC 9457), and does not call `next` for them.
 *
 * @param options a verifier, or the options of one
 * @param staleness what to do while revocations are stale; takes precedence over the options
 * @example
 * ```ts
 * import { latchkey } from '@latchkey/verify/express'
 * import express from 'express'
 * const app = express()
 * app.get('/health', (_req, res) => res.send('ok')) // public: mounted before
 * app.use(latchkey({ keys: { file: 'keys.json' }, issuer, audience: 'orders' }))
 * app.get('/me', (req, res) => res.send(req.auth?.sub))
 * ```
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
 * Creates middleware that passes only requests whose token has all the scopes and roles. Mount it
 * behind `latchkey`: without that, every request is refused.
 *
 * @example
 * ```ts
 * import { latchkey, requires } from '@latchkey/verify/express'
 * import express from 'express'
 * const app = express().use(latchkey({ verifier }))
 * app.get('/orders', requires({ scopes: ['orders:read'] }), (_req, res) => res.json([]))
 * ```
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
