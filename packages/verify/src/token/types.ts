/**
 * Names the scopes, roles and additional claims of your application for the compiler. It affects
 * types only: a token is not required to have a claim named here.
 *
 * @example
 * ```ts
 * declare module '@latchkey/verify' {
 *   interface Register {
 *     scope: 'orders:read' | 'orders:write'
 *     role: 'admin'
 *     claims: { tenant: string }
 *   }
 * }
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: filled in by the application
export interface Register {}

/**
 * A scope value (RFC 6749 section 3.3): any string, or those named in `Register`.
 * @example
 * ```ts
 * import type { Scope } from '@latchkey/verify'
 * const writing: readonly Scope[] = ['orders:read', 'orders:write']
 * ```
 */
export type Scope = Register extends { scope: infer Value extends string } ? Value : string

/**
 * A role: any string, or those named in `Register`.
 * @example
 * ```ts
 * import type { Role } from '@latchkey/verify'
 * const staff: readonly Role[] = ['admin']
 * ```
 */
export type Role = Register extends { role: infer Value extends string } ? Value : string

/**
 * Additional claims: none, or those named in `Register`.
 * @example
 * ```ts
 * import type { Claims, RegisteredClaims } from '@latchkey/verify'
 * type User = Claims & Readonly<RegisteredClaims> // what `verify` returns
 * ```
 */
export type RegisteredClaims = Register extends { claims: infer Value extends object }
  ? Value
  : // biome-ignore lint/complexity/noBannedTypes: nothing is added to the claims
    {}

/**
 * The claims of a verified token, frozen in depth. Each claim named here has been type-checked;
 * those that a token may lack are optional.
 *
 * @example
 * ```ts
 * import type { Claims } from '@latchkey/verify'
 * const isOwner = (claims: Claims, order: { userId: string }) => claims.sub === order.userId
 * ```
 */
export interface Claims {
  /** Issuer (RFC 7519 section 4.1.1): one of those configured. */
  readonly iss: string
  /** Subject (section 4.1.2): the user's ID. `at+jwt` requires it (RFC 9068 section 2.2). */
  readonly sub: string
  /** Audience (section 4.1.3): contains a configured one, unless `audience` is `false`. */
  readonly aud: string | readonly string[]
  /** Expiration time (section 4.1.4), in seconds since 1970. */
  readonly exp: number
  /** Not before (section 4.1.5), in seconds since 1970. */
  readonly nbf?: number
  /** Issued at (section 4.1.6), in seconds since 1970. */
  readonly iat?: number
  /** Token ID (section 4.1.7). */
  readonly jti?: string
  /** Session ID. */
  readonly sid?: string
  /** Client ID (RFC 8693 section 4.3). */
  readonly client_id?: string
  /** Scope values, separated by spaces (RFC 8693 section 4.2). */
  readonly scope?: string
  readonly roles?: readonly string[]
  readonly [claim: string]: unknown
}

/**
 * Reports which tokens have been revoked.
 *
 * The verifier calls it for every token that is otherwise valid (for a cached token only when
 * `version` has changed), so it must answer from memory. It must not throw.
 *
 * @example
 * ```ts
 * import type { Revocations } from '@latchkey/verify'
 * const banned = new Set(['user-1'])
 * const isRevoked: Revocations['isRevoked'] = ({ sub }) => banned.has(sub)
 * const revocations: Revocations = { isRevoked, version: 1, ageSeconds: 0 }
 * ```
 */
export interface Revocations {
  /** Whether the token was revoked, by its session or by its subject. */
  isRevoked(claims: Claims): boolean
  /** Changes whenever more tokens are revoked. Until then every answer stays the same. */
  readonly version: number
  /**
   * All revocations made earlier than this are known. Seconds, by a clock that nobody sets;
   * Infinity before the first poll.
   */
  readonly ageSeconds: number
}

/**
 * What to do while revocations are stale, for a call or a route.
 * @example
 * ```ts
 * import type { Staleness } from '@latchkey/verify'
 * const payments: Staleness = { onStale: 'deny', maxStaleSeconds: 10 }
 * const claims = verifier.verify(token, payments)
 * ```
 */
export interface Staleness {
  /** `allow`: verify with the known ones. `deny`: refuse with `revocations_stale`, status 503. */
  readonly onStale?: 'allow' | 'deny'
  /** Age from which revocations are stale. Seconds, 1 to 86,400. */
  readonly maxStaleSeconds?: number
}
