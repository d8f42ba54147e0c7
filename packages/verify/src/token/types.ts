/**
 * Names the scopes, roles and additional claims of your own application for the compiler:
 *
 * ```ts
 * declare module '@latchkey/verify' {
 *   interface Register {
 *     scope: 'orders:read' | 'orders:write'
 *     role: 'admin'
 *     claims: { tenant: string }
 *   }
 * }
 * ```
 *
 * Types only: a claim named here is not required of a token at run time.
 */
// biome-ignore lint/suspicious/noEmptyInterface: filled in by the application
export interface Register {}

/** A scope value (RFC 6749 section 3.3): any string, or those named in `Register`. */
export type Scope = Register extends { scope: infer Value extends string } ? Value : string

/** A role: any string, or those named in `Register`. */
export type Role = Register extends { role: infer Value extends string } ? Value : string

/** Additional claims: none, or those named in `Register`. */
export type RegisteredClaims = Register extends { claims: infer Value extends object }
  ? Value
  : // biome-ignore lint/complexity/noBannedTypes: nothing is added to the claims
    {}

/**
 * The claims of a verified token. Each claim named here has been type-checked; one that a token
 * may lack is optional. The object is frozen, in depth.
 */
export interface Claims {
  /** Issuer (RFC 7519 section 4.1.1): one of those configured. */
  readonly iss: string
  /** Subject (section 4.1.2): the user's ID. Required of `at+jwt` tokens (RFC 9068 section 2.2). */
  readonly sub: string
  /** Audience (section 4.1.3): holds the one configured, unless that is `false`. */
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
 * Knows which tokens have been revoked.
 *
 * Asked about every token that is otherwise good, a cached one whenever `version` has changed, so the
 * answer has to come from memory. It must not throw.
 */
export interface Revocations {
  /** Whether the token was revoked, by its session or by its subject, as far as is known. */
  isRevoked(claims: Claims): boolean
  /** Another number whenever more was revoked; until then every answer stays what it was. */
  readonly version: number
  /** Everything revoked before then is known; seconds since 1970, -Infinity while nothing is. */
  readonly asOf: number
}

/** What to do while revocations are not known as they should be. */
export interface Staleness {
  /** `allow`: verify with what is known. `deny`: refuse with `revocations_stale`, status 503. */
  readonly onStale?: 'allow' | 'deny'
  /** For how long what is known counts as known. Seconds, 1 to 86,400. */
  readonly maxStaleSeconds?: number
}
