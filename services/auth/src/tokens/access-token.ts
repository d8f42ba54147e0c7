import { randomUUID } from 'node:crypto'
import jwt from '@fastify/jwt'
import type { Claims, Keyring } from '@latchkey/verify'
import fp from 'fastify-plugin'
import type { Session } from '../sessions/store.ts'

/** What every access token of this service has in common. */
export interface AccessTokenOptions {
  keyring: Keyring
  issuer: string
  audience: string[]
  ttlSeconds: number
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Issues the access token of a session, signed with the keyring's first key. */
    issueAccessToken: (session: Session) => string
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
 *
 * `iat` is Postgres' clock in whole seconds, and never before the user's latest revocation: in the second
 * of that it is a second ahead, well within the verifiers' tolerance, so that what was issued before
 * and what after can be told apart, whichever instance issued it.
 */
export const accessTokens = fp<AccessTokenOptions>(
  async (app, { keyring, issuer, audience, ttlSeconds }) => {
    await app.register(jwt, {
      // The namespace keeps `request.jwtVerify` and `request.user` for @latchkey/verify.
      namespace: 'accessToken',
      decoratorName: 'unverifiedUser',
      secret: async () => {
        throw new Error('tokens are verified by @latchkey/verify')
      },
      sign: { algorithm: 'HS256', header: { alg: 'HS256', typ: 'at+jwt' } },
    })

    app.decorate('issueAccessToken', (session: Session) => {
      const { kid, secret } = keyring.current.signing
      const iat = Math.max(session.now, session.tokensNotBefore)
      const claims = {
        iss: issuer,
        sub: session.userId,
        aud: audience,
        exp: iat + ttlSeconds,
        iat,
        jti: randomUUID(),
        sid: session.id,
        scope: session.scope,
        roles: session.roles,
      }
      return app.jwt.accessToken.sign(claims, { key: Buffer.from(secret), kid })
    })
  },
  { name: 'access-tokens', fastify: '5.x' },
)
