import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction, Problem, ProblemError, type Transaction } from '@latchkey/service-kit'
import { Type } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import { perUser } from '../limits/per-user.ts'
import { authenticatePassword } from '../passwords/authenticate.ts'
import { CurrentPassword, NewPassword, normalizeNewPassword } from '../passwords/credentials.ts'
import { requireOpenSession } from '../sessions/open-session.ts'
import { sessionEnded } from '../sessions/problems.ts'
import { createSession } from '../sessions/store.ts'
import { TokenReply } from '../sessions/tokens.ts'
import { forgetCodes } from './codes-store.ts'
import { wrongPassword } from './problems.ts'
import { changePassword, findUserById } from './store.ts'

const PasswordChange = Type.Object(
  { current_password: CurrentPassword, new_password: NewPassword },
  { additionalProperties: false },
)

/** Per user, whatever the answer. The rules are checked before any guess or hash is limited. */
const maxChangesPerMinute = 60

/** Changes the password of the token's user. */
export const changePasswordRoute: FastifyPluginAsyncTypebox = async (app) => {
  const { config, db, passwordRules, passwords } = app

  app.post(
    '/me/password',
    {
      config: { rateLimit: perUser(maxChangesPerMinute) },
      // Before the request is counted.
      onRequest: async ({ network }) => passwords.refuseWhenFull(network),
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
      // First: a refused password costs no hash, and its refusal reveals nothing of the current one.
      await passwordRules.assertAcceptable(body.new_password, found)
      const event = describeEvent(request)
      const { newHash, oldVersion } = await passwords.admit(network, async (hasher) => {
        const login = { email: found.email, password: body.current_password, network, event }
        const known = await authenticatePassword(db, hasher, login)
        if (!known) throw wrongPassword()
        return {
          newHash: await hasher.hash(body.new_password),
          oldVersion: known.passwordVersion,
        }
      })
      const replacePassword = async (transaction: Transaction) => {
        const change = { userId: user.sub, passwordHash: newHash, oldVersion, event }
        const passwordVersion = await changePassword(transaction, change)
        if (passwordVersion === undefined) return undefined
        await forgetCodes(transaction, user.sub)
        await app.mail.notify(transaction, 'password-changed', found.email)
        return createSession(transaction, {
          userId: user.sub,
          passwordVersion,
          ttlSeconds: config.LATCHKEY_SESSION_TTL_SECONDS,
          network,
          userAgent: headers['user-agent'],
          event: { ...event, action: 'login' },
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

const passwordChanged = () =>
  new ProblemError(
    409,
    'password_changed',
    'Another request changed the password or disabled the user meanwhile.',
  )
