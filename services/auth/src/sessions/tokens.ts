import { createHmac, hkdfSync, randomUUID, timingSafeEqual } from 'node:crypto'
import jwt from '@fastify/jwt'
import type { Key, Keyring } from '@latchkey/verify'
import type { FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import { type Static, Type } from 'typebox'
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

/** The part of a session that its refresh token contains. */
type RefreshToken = Pick<Session, 'sessionId' | 'generation'>

declare module 'fastify' {
  interface FastifyInstance {
    /** Issues both tokens of a session, and forbids caches to store them (RFC 6749 section 5.1). */
    issueTokens(session: Session, reply: FastifyReply): Static<typeof TokenReply>
    /** The content of a token with a valid MAC, else `undefined`. Nothing else reaches Postgres. */
    parseRefreshToken(text: string): RefreshToken | undefined
  }
}

declare module '@fastify/jwt' {
  interface FastifyJWT {
    namespaces: 'accessToken'
  }
}

export interface SessionTokensOptions {
  issuer: string
  audience: string[]
  ttlSeconds: number
}

/**
 * The two tokens of a session. `@fastify/jwt` signs the access token with the keyring's first key:
 * JWS compact, HS256, `typ: at+jwt`, with the claim set of RFC 9068 section 2.2.
 *
 * @throws Error when the keyring has no key for refresh tokens
 */
export const sessionTokens = fp<SessionTokensOptions>(
  async (app, { issuer, audience, ttlSeconds }) => {
    const { keyring } = app
    const refreshTokens = createRefreshTokens(keyring)
    await app.register(jwt, {
      // The namespace keeps `request.jwtVerify` and `request.user` for @latchkey/verify.
      namespace: 'accessToken',
      decoratorName: 'unverifiedUser',
      secret: async () => {
        throw new Error('@latchkey/verify verifies tokens, not @fastify/jwt')
      },
      sign: { algorithm: 'HS256', header: { alg: 'HS256', typ: 'at+jwt' } },
    })

    function signAccessToken({ userId, sessionId, scope, roles, issuedAt }: Session): string {
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

    app.decorate('issueTokens', (session, reply) => {
      reply.header('cache-control', 'no-store')
      return {
        access_token: signAccessToken(session),
        token_type: 'Bearer',
        expires_in: ttlSeconds,
        refresh_token: refreshTokens.format(session),
        scope: session.scope,
      }
    })
    app.decorate('parseRefreshToken', refreshTokens.parse)
  },
  { name: 'session-tokens', fastify: '5.x', dependencies: ['keyring'] },
)

const prefix = 'lkr_'
const bodyBytes = 16 + 4
const macBytes = 32
/** `lkr_` and the base64url of 52 bytes. */
const refreshTokenFormat = /^lkr_[\w-]{70}$/

/**
 * Makes and reads refresh tokens: `lkr_` + base64url(session id ‖ generation ‖ HMAC-SHA-256 of
 * both).
 *
 * The MAC key is derived from the keyring's `latchkey:refresh` key (HKDF, RFC 5869), so that the
 * same bytes never serve two purposes. A leaked database contains nothing to make a token from.
 * Nothing is random: the same generation of a session is always the same token, so a repeated
 * request gets the same successor.
 */
function createRefreshTokens(keyring: Keyring) {
  if (keyring.current.refresh === undefined) throw new Error(missingKey)
  let macKey = deriveMacKey(keyring.current.refresh)
  // If a new keyring has no such key, the last one stays in use. A different key ends every
  // session.
  keyring.subscribe(({ refresh }) => {
    if (refresh !== undefined) macKey = deriveMacKey(refresh)
  })
  const mac = (body: Buffer) => createHmac('sha256', macKey).update(body).digest()

  return {
    format({ sessionId, generation }: RefreshToken): string {
      const body = Buffer.alloc(bodyBytes)
      body.write(sessionId.replaceAll('-', ''), 'hex')
      body.writeUInt32BE(generation, 16)
      return prefix + Buffer.concat([body, mac(body)]).toString('base64url')
    },
    parse(text: string): RefreshToken | undefined {
      if (!refreshTokenFormat.test(text)) return undefined
      const encoded = text.slice(prefix.length)
      const bytes = Buffer.from(encoded, 'base64url')
      // The 70 characters have 4 spare bits: only the canonical encoding is a token.
      if (bytes.toString('base64url') !== encoded) return undefined
      const body = bytes.subarray(0, bodyBytes)
      if (!timingSafeEqual(mac(body), bytes.subarray(bodyBytes))) return undefined
      const hex = body.toString('hex', 0, 16)
      const sessionId = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
      return { sessionId, generation: body.readUInt32BE(16) }
    },
  }
}

const missingKey =
  'the key file has no key with "use": "latchkey:refresh"; `latchkey keys generate` creates a file with one'

const deriveMacKey = ({ secret }: Key): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, '', 'latchkey refresh token v1', macBytes))
