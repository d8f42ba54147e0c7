import { createHash } from 'node:crypto'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ProblemError } from '@latchkey/service-kit'
import type { Verifier } from '@latchkey/verify'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { findUserById } from '../accounts/store.ts'
import { describeEvent } from '../audit/describe-event.ts'
import { endSession } from '../sessions/end-session.ts'
import { refreshSession } from '../sessions/refresh.ts'
import { effectiveScope } from '../sessions/scope.ts'
import type { Session } from '../sessions/store.ts'
import { TokenReply } from '../sessions/tokens.ts'
import { authenticateClient, ClientParameters } from './client-authentication.ts'
import { findRedeemedSession, type RedeemedSession, redeemCode } from './codes-store.ts'
import { OAuthError } from './errors.ts'
import { asksForIdToken, issueIdToken } from './id-token.ts'
import { narrow, refuseOtherAudiences, restrict } from './narrow.ts'

const TokenRequest = Type.Object({
  grant_type: Type.String(),
  ...ClientParameters,
  code: Type.Optional(Type.String({ maxLength: 200 })),
  redirect_uri: Type.Optional(Type.String({ maxLength: 600 })),
  code_verifier: Type.Optional(Type.String({ pattern: '^[\\w.~-]{43,128}$' })),
  refresh_token: Type.Optional(Type.String({ maxLength: 200 })),
  scope: Type.Optional(Type.String({ maxLength: 2_048 })),
  resource: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
})
type TokenRequest = FastifyRequest<{ Body: Static<typeof TokenRequest> }>

const Reply = Type.Object({ ...TokenReply.properties, id_token: Type.Optional(Type.String()) })

/** Gives an authenticated client the session that it may have tokens of. */
type Grant = (request: TokenRequest, clientId: string) => Promise<Session | RedeemedSession>

/** By `grant_type`. */
const grants = new Map<string, Grant>([
  ['authorization_code', redeem],
  ['refresh_token', refresh],
])

/** The token endpoint (RFC 6749 section 3.2). */
export const tokenRoute: FastifyPluginAsyncTypebox<{ assertions: Verifier }> = async (
  app,
  { assertions },
) => {
  app.post(
    '/token',
    {
      config: { public: true },
      schema: {
        operationId: 'token',
        body: TokenRequest,
        response: { 200: Reply },
      },
    },
    async (request: TokenRequest, reply) => {
      const client = await authenticateClient(request, assertions)
      const grant = grants.get(request.body.grant_type)
      if (grant === undefined) {
        throw new OAuthError(
          'unsupported_grant_type',
          'grant_type must be "authorization_code" or "refresh_token".',
        )
      }
      const { resource = [] } = request.body
      // Before the grant is used up.
      refuseOtherAudiences([resource].flat(), client.audiences)
      const session = restrict(await grant(request, client.id), client)
      const tokens = await app.issueTokens(narrow(session, request.body), reply)
      // A refreshed session gets none: the login that an ID token tells of has been told.
      const idToken = 'nonce' in session ? await createIdToken(app, session) : undefined
      return { ...tokens, ...(idToken !== undefined && { id_token: idToken }) }
    },
  )
}

/** @returns `undefined` when the app did not ask for one, or the key was removed meanwhile */
async function createIdToken(
  { db, keyring, config }: FastifyInstance,
  session: RedeemedSession,
): Promise<string | undefined> {
  const [key] = keyring.current.idTokenKeys
  if (key === undefined || !asksForIdToken(effectiveScope(session))) return undefined
  const user = await findUserById(db, session.userId)
  return user && issueIdToken(key, config.LATCHKEY_ISSUER, { session, user })
}

/** RFC 6749 section 4.1.3, with PKCE (RFC 7636 section 4.6). */
async function redeem(request: TokenRequest, clientId: string): Promise<RedeemedSession> {
  const { server: app, body } = request
  const { code, redirect_uri: redirectUri, code_verifier: verifier } = body
  if (code === undefined || redirectUri === undefined) {
    throw new OAuthError('invalid_request', 'code and redirect_uri are required.')
  }
  if (verifier === undefined) throw invalidCode()
  const codeChallenge = createHash('sha256').update(verifier).digest('base64url')
  const event = describeEvent(request, { actor: 'user', detail: { client: clientId } })
  const session = await app.durably(() =>
    redeemCode(app.db, { code, clientId, redirectUri, codeChallenge }, event),
  )
  if (session !== undefined) return session
  await endRedeemed(request, code, clientId)
  throw invalidCode()
}

/**
 * Ends the session of a code that is used again: one of the two who used it has stolen it (RFC 6749
 * section 4.1.2).
 */
async function endRedeemed(request: TokenRequest, code: string, clientId: string): Promise<void> {
  const { server: app, log } = request
  const sessionId = await findRedeemedSession(app.db, { code, clientId })
  if (sessionId === undefined) return
  const detail = { client: clientId, reused: true }
  const event = describeEvent(request, { actor: 'anonymous', result: 'refused', detail })
  const ended = await endSession(app, { sessionId, event })
  if (ended?.wasOpen) log.warn({ sid: sessionId }, 'authorization code reused; session revoked')
}

const invalidCode = () =>
  new OAuthError(
    'invalid_grant',
    'The code is unknown, expired or used, or it was issued for another client, redirect_uri or code_challenge.',
  )

/** RFC 6749 section 6. */
async function refresh(request: TokenRequest, clientId: string): Promise<Session> {
  const { refresh_token: refreshToken } = request.body
  if (refreshToken === undefined) {
    throw new OAuthError('invalid_request', 'refresh_token is required.')
  }
  return refreshSession(request, refreshToken, clientId).catch((err) => {
    const isRefused = err instanceof ProblemError && err.statusCode === 401
    throw isRefused ? new OAuthError('invalid_grant', err.message) : err
  })
}
