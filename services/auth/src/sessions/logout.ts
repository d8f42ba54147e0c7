import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { NoContent, Problem, ProblemError } from '@latchkey/service-kit'
import { Type } from 'typebox'
import { rememberSeconds } from '../revocation/memory.ts'
import { revoke } from './store.ts'

const LogoutRequest = Type.Optional(
  Type.Union([
    Type.Null(),
    Type.Object(
      { refresh_token: Type.String({ maxLength: 200 }) },
      { additionalProperties: false },
    ),
  ]),
)

/**
 * Ends the session of the token that is presented: the refresh token in the body, which works
 * when the access token has expired, or the access token. Ending it twice is no error.
 */
export const logoutRoute: FastifyPluginAsyncTypebox = async (app) => {
  const { db, refreshTokens } = app

  app.post(
    '/logout',
    {
      config: { public: true },
      schema: {
        tags: ['sessions'],
        summary: 'End this session',
        body: LogoutRequest,
        response: { 204: NoContent, 400: Problem, 401: Problem, 503: Problem },
      },
    },
    async (request, reply) => {
      const refreshToken = request.body?.refresh_token
      if (refreshToken !== undefined) {
        const token = refreshTokens.parse(refreshToken)
        if (!token) throw invalidRefreshToken()
        await revoke(db, token.sessionId, undefined, rememberSeconds)
      } else {
        const { sid, sub } = await request.jwtVerify()
        if (sid !== undefined) await revoke(db, sid, sub, rememberSeconds)
      }
      return reply.code(204).send(null)
    },
  )
}

const invalidRefreshToken = () =>
  new ProblemError(401, 'refresh_token_invalid', 'The refresh token is not valid.', {
    'www-authenticate': 'Bearer',
  })
