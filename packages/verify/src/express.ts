import type { IncomingMessage, ServerResponse } from 'node:http'
import { readVerifier, type VerifierOrOptions } from './adapter.ts'
import { checkRequest, checkTokenOption } from './bearer.ts'
import { describeRefusal } from './refusal.ts'
import { authorize, checkRequirements, type Requirements } from './requirements.ts'
import { createRefusal } from './token/error.ts'
import { checkStaleness } from './token/staleness.ts'
import type { Claims, RegisteredClaims, Staleness } from './token/types.ts'

/**
 * The type of `req.auth`.
 * @example
 * ```ts
 * import type { Auth } from '@latchkey/verify/express'
 * const isAdmin = ({ roles }: Auth) => roles?.includes('admin') ?? false
 * ```
 */
export type Auth = Claims & Readonly<RegisteredClaims>

declare module 'node:http' {
  interface IncomingMessage {
    /** The verified claims, set by the middleware of `latchkey`; undefined before it runs. */
    auth: Auth
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
  req: IncomingMessage,
  res: ServerResponse,
  next: (err?: unknown) => void,
) => void

/**
 * Options of `latchkey`: a verifier, or the options of one.
 * @example
 * ```ts
 * import type { LatchkeyOptions } from '@latchkey/verify/express'
 * const options: LatchkeyOptions = { verifier }
 * ```
 */
export type LatchkeyOptions = VerifierOrOptions & {
  /**
   * Returns the token of a request that has none in its Authorization header, for example from a
   * cookie. A browser sends cookies with requests that other sites make: see the README on CSRF.
   *
   * A method, so that it can be given as a function of Express' `Request`.
   */
  token?(req: IncomingMessage): string | null | undefined
}

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
 * app.get('/me', (req, res) => res.send(req.auth.sub))
 * ```
 */
export function latchkey(options: LatchkeyOptions, staleness: Staleness = {}): Middleware {
  const { token, ...others } = options
  checkTokenOption(token)
  checkStaleness(staleness)
  const verifier = readVerifier(others)
  return function authenticate(req, res, next) {
    try {
      const result = checkRequest(verifier, req, staleness, token && (() => token(req)))
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
