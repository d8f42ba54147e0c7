import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem, ProblemError } from '@latchkey/service-kit'
import { Type } from 'typebox'
import { rememberSeconds } from '../revocation/memory.ts'
import { rotate } from './store.ts'
import { replyWithTokens, TokenReply } from './token-reply.ts'

const RefreshRequest = Type.Object(
  { refresh_token: Type.String({ maxLength: 200 }) },
  { additionalProperties: false },
)

/** Rotates a refresh token (RFC 6749 section 6; reuse: RFC 9700 section 4.14.2): one statement. */
export const refreshRoute: FastifyPluginAsyncTypebox = async (app) => {
  const { config, counters, db, refreshTokens } = app

  app.post(
    '/refresh',
    {
      config: { public: true },
      schema: {
        tags: ['sessions'],
        summary: 'Exchange a refresh token for a new pair of tokens',
        body: RefreshRequest,
        response: { 200: TokenReply, 400: Problem, 401: Problem, 503: Problem },
      },
    },
    async (request, reply) => {
      const token = refreshTokens.parse(request.body.refresh_token)
      if (!token) {
        counters.refreshes.inc({ result: 'invalid' })
        throw invalid()
      }
      const session = await rotate(
        db,
        token.sessionId,
        token.generation,
        config.LATCHKEY_REFRESH_GRACE_SECONDS,
        rememberSeconds,
      )
      const result = session === undefined ? 'invalid' : session.reused ? 'reused' : 'ok'
      counters.refreshes.inc({ result })
      if (!session) throw invalid()
      if (session.reused) {
        request.log.warn(
          { sid: session.id },
          'an old refresh token was used again; session revoked',
        )
        throw reused()
      }
      return replyWithTokens(app, reply, session)
    },
  )
}

const challenge = { 'www-authenticate': 'Bearer' }

const invalid = () =>
  new ProblemError(
    401,
    'refresh_token_invalid',
    'The refresh token is not valid, or its session has ended. Log in again.',
    challenge,
  )

const reused = () =>
  new ProblemError(
    401,
    'refresh_token_reused',
    'This refresh token was used before. Its session has been ended, as somebody may have copied it.',
    challenge,
  )
