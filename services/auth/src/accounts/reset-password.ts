import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction, NoContent, Problem, type Transaction } from '@latchkey/service-kit'
import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import { perNetwork } from '../limits/per-network.ts'
import { Email, normalizeNewPassword, trimEmail } from '../passwords/credentials.ts'
import { findCode, forgetCodes, requestPasswordReset, useCode } from './codes-store.ts'
import { codeTtl, createCode } from './new-code.ts'
import { CodeAndPassword } from './schemas.ts'
import { changePassword, markEmailVerified } from './store.ts'
import { checkCode, invalidCode, VerificationReply } from './verification.ts'

/** Sets a new password with a mailed code, which ends all sessions and does not log in. */
export const resetPasswordRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/password-reset',
    {
      config: { public: true, rateLimit: perNetwork(app.config, 'requestPasswordReset') },
      preValidation: trimEmail,
      schema: {
        tags: ['accounts'],
        operationId: 'requestPasswordReset',
        summary: 'Mail a code to set a new password; the reply is the same for every address',
        body: Type.Object({ email: Email }, { additionalProperties: false }),
        response: { 202: VerificationReply, 501: Problem },
      },
    },
    async (request, reply) =>
      reply.code(202).send(await mailResetCode(request, request.body.email)),
  )

  app.post(
    '/password-reset/confirm',
    {
      config: { public: true, rateLimit: perNetwork(app.config, 'resetPassword') },
      preValidation: normalizeNewPassword('password'),
      schema: {
        tags: ['accounts'],
        operationId: 'resetPassword',
        summary: 'Set a new password with the code from the mail: ends all sessions',
        body: CodeAndPassword,
        response: { 204: NoContent, 429: Problem },
      },
    },
    async (request, reply) => {
      await resetPassword(request, request.body)
      return reply.code(204).send(null)
    },
  )
}

/**
 * Mails a code to set a new password, if the address has an account.
 *
 * @throws ProblemError 501 `mail_not_configured`
 */
export async function mailResetCode(
  request: FastifyRequest,
  email: string,
): Promise<Static<typeof VerificationReply>> {
  const { server: app } = request
  const event = describeEvent(request)
  const ttlSeconds = codeTtl.requested
  const created = await createCode(app, { recipient: email, page: 'reset', ttlSeconds, event })
  await app.durably(() => requestPasswordReset(app.db, email, created.code))
  return created.reply
}

/**
 * Sets a new password with a mailed code, and ends all sessions.
 *
 * @throws ProblemError 400 `code_invalid`, 429 `too_many_failures`, and those of new passwords
 */
export async function resetPassword(
  request: FastifyRequest,
  body: Static<typeof CodeAndPassword>,
): Promise<void> {
  const { network, server: app } = request
  const { db, passwords } = app
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
}
