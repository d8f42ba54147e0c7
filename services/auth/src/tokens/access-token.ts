import { randomUUID } from 'node:crypto'
import jwt from '@fastify/jwt'
import type { Claims, Keyring } from '@latchkey/verify'
import fp from 'fastify-plugin'

export interface AccessTokenOptions {
  keyring: Keyring
  issuer: string
  audience: string[]
  ttlSeconds: number
}

/** The part of the claims that differs between tokens. */
export interface AccessTokenSubject {
  userId: string
  sessionId: string
  scope: string
  roles: string[]
  /** `iat`, in seconds. */
  issuedAt: number
}

/** Issues access tokens, signed with the keyring's first key. */
export interface AccessTokens {
  issue: (subject: AccessTokenSubject) => string
  ttlSeconds: number
}

declare module 'fastify' {
  interface FastifyInstance {
    accessTokens: AccessTokens
  }
}

declare module '@fastify/jwt' {
  interface FastifyJWT {
    namespaces: 'accessToken'
    user: Claims
  }
}

/**
 * Signs access tokens with `@fastify/jwt`: JWS compact, HS256, `typ: at+jwt` (the claim set of RFC
 * 9068 section 2.2).
 */
export const accessTokens = fp<AccessTokenOptions>(
  async (app, { keyring, issuer, audience, ttlSeconds }) => {
    await app.register(jwt, {
      // The namespace keeps `request.jwtVerify` and `request.user` for @latchkey/verify.
      namespace: 'accessToken',
      decoratorName: 'unverifiedUser',
      secret: async () => {
        throw new Error('@latchkey/verify verifies tokens, not @fastify/jwt')
      },
      sign: { algorithm: 'HS256', header: { alg: 'HS256', typ: 'at+jwt' } },
    })

    function issue({ userId, sessionId, scope, roles, issuedAt }: AccessTokenSubject): string {
      const { kid, secret } = keyring.current.signing
      const claims = {
        iss: issuer,
        sub: userId,
        aud: audience,
        exp: issuedAt + ttlSeconds,
        iat: issuedAt,
        jti: randomUUID(),
        sid: sessionId,
        scope,
        roles,
      }
      return app.jwt.accessToken.sign(claims, { key: Buffer.from(secret), kid })
    }
    app.decorate('accessTokens', { issue, ttlSeconds })
  },
  { name: 'access-tokens', fastify: '5.x' },
)
