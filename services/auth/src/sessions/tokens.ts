import { createPrivateKey, createPublicKey, randomUUID, sign, verify } from 'node:crypto'
import jwt, { type JWT } from '@fastify/jwt'
import { ConfigError } from '@latchkey/service-kit'
import type { EcKey, Key } from '@latchkey/verify'
import Fastify, { type FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import { type Static, Type } from 'typebox'
import { createRefreshTokens, type RefreshToken } from './refresh-token.ts'
import { effectiveScope } from './scope.ts'
import type { Session } from './store.ts'

/** The body of a successful login or refresh (RFC 6749 section 5.1). */
export const TokenReply = Type.Object(
  {
    access_token: Type.String({ examples: ['eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCIs…'] }),
    token_type: Type.Literal('Bearer'),
    expires_in: Type.Integer({ description: 'Lifetime of the access token, in seconds.' }),
    refresh_token: Type.String({ examples: ['lkr_AaIaUm8OfByeDzsdanyfEAAAAAB…'] }),
    scope: Type.String({ examples: ['orders:read orders:write'] }),
  },
  { title: 'TokenReply' },
)

declare module 'fastify' {
  interface FastifyInstance {
    /** Issues both tokens of a session, and forbids caches to store them (RFC 6749 section 5.1). */
    issueTokens(session: Session, reply: FastifyReply): Promise<Static<typeof TokenReply>>
    /** The content of a token with a valid MAC, else `undefined`. Nothing else reaches Postgres. */
    parseRefreshToken(text: string): RefreshToken | undefined
    /** The key that signs, which is not the first one of the keyring if that one cannot. */
    getSigningKid(): string
  }
}

export interface SessionTokensOptions {
  issuer: string
  audience: string[]
  ttlSeconds: number
}

/**
 * The two tokens of a session. `@fastify/jwt` signs the access token with the keyring's first key:
 * JWS compact, HS256 or ES256, `typ: at+jwt`, with the claim set of RFC 9068 section 2.2.
 *
 * @throws ConfigError when the keyring is not auth's: it has no key for refresh tokens, or its first
 * key cannot sign
 */
export const sessionTokens = fp<SessionTokensOptions>(
  async (app, { issuer, audience, ttlSeconds }) => {
    const { keyring } = app
    const refreshTokens = createRefreshTokens(keyring)
    let signer = await createSigner(keyring.current.signing)
    let signingKid = keyring.current.signing.kid
    keyring.subscribe(async ({ signing }) => {
      try {
        signer = await createSigner(signing)
        signingKid = signing.kid
      } catch (err) {
        app.log.error({ err }, 'the new signing key cannot sign; the previous one stays in use')
      }
    })

    function signAccessToken(session: Session): string {
      const { userId, sessionId, roles, issuedAt, clientId, audiences, authTime } = session
      return signer.sign({
        iss: issuer,
        sub: userId,
        aud: audiences ?? audience,
        exp: issuedAt + ttlSeconds,
        iat: issuedAt,
        jti: randomUUID(),
        sid: sessionId,
        scope: effectiveScope(session),
        roles,
        // RFC 9068 section 2.2.1, and RFC 8176 for `amr`: an app's session began with a password.
        ...(clientId !== null && { client_id: clientId, auth_time: authTime, amr: ['pwd'] }),
      })
    }

    app.decorate('issueTokens', async (session, reply) => {
      reply.header('cache-control', 'no-store')
      return {
        access_token: signAccessToken(session),
        token_type: 'Bearer',
        expires_in: ttlSeconds,
        refresh_token: refreshTokens.format(session),
        scope: effectiveScope(session),
      }
    })
    app.decorate('parseRefreshToken', refreshTokens.parse)
    app.decorate('getSigningKid', () => signingKid)
  },
  { name: 'session-tokens', fastify: '5.x', dependencies: ['keyring'] },
)

/**
 * `@fastify/jwt` with one key. It prepares a key only when it is registered; a key passed with every
 * call would be prepared for every token. So each key gets a registration, in an instance of its own
 * that serves no requests: a server that listens accepts no further one.
 */
async function createSigner(key: Key): Promise<JWT> {
  const { alg, kid } = key
  const app = Fastify()
  await app.register(jwt, {
    secret: key.alg === 'HS256' ? Buffer.from(key.secret) : readKeyPair(key),
    sign: { algorithm: alg, kid, header: { alg, typ: 'at+jwt' } },
  })
  return app.jwt
}

/**
 * A key pair in the form that `@fastify/jwt` accepts.
 *
 * @throws Error when the private part is missing, or belongs to another public key
 */
function readKeyPair({ kid, x, y, d }: EcKey): { private: string; public: string } {
  const name = `the signing key ${kid}`
  if (d === undefined)
    throw new ConfigError(`LATCHKEY_KEYS_FILE: ${name} has no private part in this key file`)
  const point = { kty: 'EC', crv: 'P-256', x, y }
  const key = createPrivateKey({ format: 'jwk', key: { ...point, d } })
  const publicKey = createPublicKey({ format: 'jwk', key: point })
  // OpenSSL does not compare them.
  const probe = Buffer.from(kid)
  if (!verify('sha256', probe, publicKey, sign('sha256', probe, key))) {
    throw new ConfigError(
      `LATCHKEY_KEYS_FILE: the private part of ${name} belongs to another public key`,
    )
  }
  return {
    private: key.export({ format: 'pem', type: 'pkcs8' }).toString(),
    public: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
  }
}
