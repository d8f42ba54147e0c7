import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction, NoContent, Problem, type Transaction } from '@latchkey/service-kit'
import { Type } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import { Email, NewPassword, normalizeNewPassword, trimEmail } from '../passwords/credentials.ts'
import { findCode, forgetCodes, requestPasswordReset, useCode } from './codes-store.ts'
import { codeTtl, createCode } from './new-code.ts'
import { changePassword, markEmailVerified } from './store.ts'
import { checkCode, invalidCode, MailedCode, VerificationReply } from './verification.ts'

/** Sets a new password with a mailed code, which ends all sessions and does not log in. */
export const resetPasswordRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { config, db, passwords } = app
  const rateLimit = { max: config.LATCHKEY_REGISTER_LIMIT, timeWindow: 60_000 }

  app.post(
    '/password-reset',
    {
      config: {
        public: true,
        rateLimit,
      },
      preValidation: trimEmail,
      schema: {
        tags: ['accounts'],
        operationId: 'requestPasswordReset',
        summary: 'Mail a code to set a new password; the reply is the same for every address',
        body: Type.Object({ email: Email }, { additionalProperties: false }),
        response: { 202: VerificationReply, 501: Problem },
      },
    },
    async (request, reply) => {
      const { email } = request.body
      const event = describeEvent(request)
      const ttlSeconds = codeTtl.requested
      const created = await createCode(app, { recipient: email, page: 'reset', ttlSeconds, event })
      await app.durably(() => requestPasswordReset(db, email, created.code))
      return reply.code(202).send(created.reply)
    },
  )

  app.post(
    '/password-reset/confirm',
    {
      config: { public: true, rateLimit },
      preValidation: normalizeNewPassword('password'),
      schema: {
        tags: ['accounts'],
        operationId: 'resetPassword',
        summary: 'Set a new password with the code from the mail: ends all sessions',
        body: Type.Object(
          { ...MailedCode, password: NewPassword },
          { additionalProperties: false },
        ),
        response: { 204: NoContent, 429: Problem },
      },
    },
    async (request, reply) => {
      const { body, network } = request
      const find = (idHash: Buffer) => findCode(db, 'password-reset', idHash)
      const code = await checkCode(db, { body, network, find, event: describeEvent(request) })
      const { userId, email } = code
      await app.passwordRules.assertAcceptable(body.password, { email })
      const passwordHash = await passwords.admit(network, (hasher) => hasher.hash(body.password))
      const event = describeEvent(request, { actor: 'user' })
      const reset = async (transaction: Transaction) => {
        if (!(await useCode(transaction, 'password-reset', code))) return false
        const version = await changePassword(transaction, { userId, passwordHash, event })
        if (version === undefined) return false
        await markEmailVerified(transaction, userId)
        await forgetCodes(transaction, userId)
        await app.mail.notify(transaction, 'password-changed', email)
        return true
      }
      const isReset = await app.revoking(
        () => inTransaction(db, reset),
        () => [],
      )
      if (!isReset) throw invalidCode()
      return reply.code(204).send(null)
    },
  )
}
