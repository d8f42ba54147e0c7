import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction, Problem, ProblemError } from '@latchkey/service-kit'
import { Type } from 'typebox'
import { networkOf } from '../limits/network.ts'
import { authenticatePassword } from '../passwords/authenticate.ts'
import { NewPassword } from '../passwords/credentials.ts'
import { rememberSeconds } from '../revocation/memory.ts'
import { requireOpenSession, sessionEnded } from '../sessions/open-session.ts'
import { create as createSession } from '../sessions/store.ts'
import { replyWithTokens, TokenReply } from '../sessions/token-reply.ts'
import { UserReply, userReply } from './schemas.ts'
import { changePassword, findById } from './store.ts'

const PasswordChange = Type.Object(
  { current_password: Type.String({ maxLength: 256 }), new_password: NewPassword },
  { additionalProperties: false },
)

/** The account the token speaks for. */
export const meRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { config, db, passwords } = app
  app.addHook('preHandler', requireOpenSession)

  app.get(
    '/me',
    {
      schema: {
        tags: ['accounts'],
        summary: 'Your account',
        response: { 200: UserReply, 401: Problem, 503: Problem },
      },
    },
    async ({ user }) => {
      const found = await findById(db, user.sub)
      if (!found) throw sessionEnded()
      return userReply(found)
    },
  )

  app.post(
    '/me/password',
    {
      schema: {
        tags: ['accounts'],
        summary: 'Change your password: ends all sessions and opens a new one for you',
        body: PasswordChange,
        response: {
          200: TokenReply,
          400: Problem,
          401: Problem,
          403: Problem,
          409: Problem,
          429: Problem,
          503: Problem,
        },
      },
    },
    async (request, reply) => {
      const { body, user } = request
      const found = await findById(db, user.sub)
      if (!found) throw sessionEnded()
      const network = networkOf(request)
      const { hash, passwordVersion, failureKeys } = await passwords.admit(async () => {
        const known = await authenticatePassword(app, found.email, body.current_password, network)
        if (!known) throw wrongPassword()
        return { ...known, hash: await passwords.hashAdmitted(body.new_password) }
      })
      const session = await inTransaction(db, async (transaction) => {
        const version = await changePassword(
          transaction,
          user.sub,
          hash,
          passwordVersion,
          rememberSeconds,
        )
        if (version === undefined) return undefined
        return createSession(transaction, {
          userId: user.sub,
          passwordVersion: version,
          ttlSeconds: config.LATCHKEY_SESSION_TTL_SECONDS,
          network,
          userAgent: request.headers['user-agent']?.slice(0, 200) ?? null,
          failureKeys,
          rememberSeconds,
        })
      })
      if (!session) {
        throw new ProblemError(409, 'password_changed', 'The password was changed meanwhile.')
      }
      return replyWithTokens(app, reply, session)
    },
  )
}

/** No 401: the token is good, and clients would answer a challenge by refreshing it. */
const wrongPassword = () =>
  new ProblemError(403, 'invalid_credentials', 'The current password is wrong.')
