import type { FastifyRequest } from 'fastify'
import type { VerifierOrOptions } from './adapter.ts'
import type { RouteConfig } from './route-config.ts'
import type { Claims, RegisteredClaims } from './token/types.ts'

/**
 * The type of `request.user`.
 * @example
 * ```ts
 * import type { User } from '@latchkey/verify/fastify'
 * const isAdmin = ({ roles }: User) => roles?.includes('admin') ?? false
 * ```
 */
export type User = Claims & Readonly<RegisteredClaims>

/**
 * Options of the plugin: a verifier, or the options of one.
 * @example
 * ```ts
 * import type { LatchkeyOptions } from '@latchkey/verify/fastify'
 * const options: LatchkeyOptions = { verifier, publicNotFound: true }
 * ```
 */
export type LatchkeyOptions = VerifierOrOptions & {
  /**
   * Answers a request without a token that no route matches with 404 instead of 401, so that
   * strangers can tell which routes exist. The not-found handler is for requests with a token.
   * Default false.
   */
  publicNotFound?: boolean
  /**
   * Returns the token of a request that has none in its Authorization header, for example from a
   * cookie. A browser sends cookies with requests that other sites make: see the README on CSRF.
   */
  token?: (request: FastifyRequest) => string | null | undefined
}

// biome-ignore lint/suspicious/noTsIgnore: wrong only where @fastify/jwt is not installed
/** @ts-ignore: `user` is ours even if @fastify/jwt, for signing, declares it too. */
declare module '@fastify/jwt' {
  interface FastifyJWT {
    user: User
  }
}

// biome-ignore lint/suspicious/noTsIgnore: as above
/** @ts-ignore: `any` without @fastify/jwt. */
type OtherJwtVerify = import('@fastify/jwt').JwtVerifyFunction

declare module 'fastify' {
  interface FastifyRequest {
    /** The verified claims; null on a public route until `jwtVerify` succeeds. */
    user: User
    /**
     * Verifies the request's token, for public routes that treat signed-in users differently. Its
     * type is that of @fastify/jwt where that is installed, since two declarations must agree.
     *
     * @throws TokenError, which Fastify's error handler answers with its status and challenge
     * @throws TypeError when it is called with an argument
     */
    jwtVerify: 0 extends 1 & OtherJwtVerify ? () => Promise<User> : OtherJwtVerify
  }
  interface FastifyReply {
    /** The `code` with which the plugin refused the request, for logs. */
    refusalCode: string | undefined
  }
  interface FastifyContextConfig extends RouteConfig {}
}
