import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction, Problem, ProblemError, type Transaction } from '@latchkey/service-kit'
import { Type } from 'typebox'
import { authenticatePassword } from '../passwords/authenticate.ts'
import { NewPassword, normalizeNewPassword } from '../passwords/credentials.ts'
import { requireOpenSession } from '../sessions/open-session.ts'
import { sessionEnded } from '../sessions/problems.ts'
import { createSession } from '../sessions/store.ts'
import { TokenReply } from '../sessions/tokens.ts'
import { changePassword, findUserById } from './store.ts'

const PasswordChange = Type.Object(
  { current_password: Type.String({ maxLength: 256 }), new_password: NewPassword },
  { additionalProperties: false },
)

/** Changes the password of the token's user. */
export const changePasswordRoute: FastifyPluginAsyncTypebox = async (app) => {
  const { config, db, passwords } = app

  app.post(
    '/me/password',
    {
      preValidation: normalizeNewPassword('new_password'),
      preHandler: requireOpenSession,
      schema: {
        tags: ['accounts'],
        operationId: 'changePassword',
        summary: 'Change your password: ends all your sessions and opens a new one',
        body: PasswordChange,
        response: { 200: TokenReply, 403: Problem, 409: Problem, 429: Problem },
      },
    },
    async (request, reply) => {
      const { body, headers, network, user } = request
      const found = await findUserById(db, user.sub)
      if (!found) throw sessionEnded()
      const { newHash, oldVersion } = await passwords.admit(network, async (hasher) => {
        const login = { email: found.email, password: body.current_password, network }
        const known = await authenticatePassword(db, hasher, login)
        if (!known) throw wrongPassword()
        return {
          newHash: await hasher.hash(body.new_password),
          oldVersion: known.passwordVersion,
        }
      })
      const replacePassword = async (transaction: Transaction) => {
        const change = { userId: user.sub, passwordHash: newHash, oldVersion }
        const passwordVersion = await changePassword(transaction, change)
        if (passwordVersion === undefined) return undefined
        return createSession(transaction, {
          userId: user.sub,
          passwordVersion,
          ttlSeconds: config.LATCHKEY_SESSION_TTL_SECONDS,
          network,
          userAgent: headers['user-agent'],
        })
      }
      const session = await app.revoking(
        () => inTransaction(db, replacePassword),
        (opened) => (opened && user.sid ? [user.sid] : []),
      )
      if (!session) throw passwordChanged()
      return app.issueTokens(session, reply)
    },
  )
}

/** Not 401: the token is valid, and a client would respond to a challenge by refreshing it. */
const wrongPassword = () =>
  new ProblemError(403, 'invalid_credentials', 'The current password is wrong.')

const passwordChanged = () =>
  new ProblemError(
    409,
    'password_changed',
    'Another request changed the password or disabled the user meanwhile.',
  )
