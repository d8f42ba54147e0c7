import { randomUUID } from 'node:crypto'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction, NoContent, Problem, type Transaction } from '@latchkey/service-kit'
import type { FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import { perNetwork } from '../limits/per-network.ts'
import {
  deleteLaterUndos,
  findAddressCode,
  forgetCodes,
  inviteToSetPassword,
  useCode,
} from './codes-store.ts'
import { codeTtl, createCode } from './new-code.ts'
import { emailTaken } from './problems.ts'
import { changeEmail, changePassword } from './store.ts'
import { ConfirmedCode, checkCode, invalidCode } from './verification.ts'

/**
 * Restores the former address of a user. Whoever has changed it knows the password, so that is
 * removed and every session ends; the restored address gets a code to set a new one.
 */
export const undoEmailChangeRoute: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/me/email/undo',
    {
      config: { public: true, rateLimit: perNetwork(app.config, 'undoEmailChange') },
      schema: {
        tags: ['accounts'],
        operationId: 'undoEmailChange',
        summary:
          'Restore your former address with the code that was mailed to it: ends all sessions',
        body: ConfirmedCode,
        response: { 204: NoContent, 409: Problem, 429: Problem },
      },
    },
    async (request, reply) => {
      await undoEmailChange(request, request.body)
      return reply.code(204).send(null)
    },
  )
}

/**
 * Restores the address that a code was mailed to.
 *
 * @throws ProblemError 400 `code_invalid`, 409 `email_taken`, 429 `too_many_failures`
 */
export async function undoEmailChange(
  request: FastifyRequest,
  body: Static<typeof ConfirmedCode>,
): Promise<void> {
  const { network, server: app } = request
  const { db, passwords } = app
  const find = (idHash: Buffer) => findAddressCode(db, 'email-undo', idHash)
  const code = await checkCode(db, { body, network, find, event: describeEvent(request) })
  const { userId, email } = code
  const passwordHash = await passwords.admit(network, (hasher) => hasher.hash(randomUUID()))
  const event = describeEvent(request, { actor: 'user' })
  const ttlSeconds = codeTtl.unasked
  const invitation = await createCode(app, { recipient: email, page: 'reset', ttlSeconds })
  const undo = async (transaction: Transaction) => {
    const used = await useCode(transaction, 'email-undo', code)
    if (!used) throw invalidCode()
    if (!(await changeEmail(transaction, { userId, email, event }))) throw emailTaken()
    const version = await changePassword(transaction, { userId, passwordHash })
    if (version === undefined) throw invalidCode()
    await forgetCodes(transaction, userId)
    await deleteLaterUndos(transaction, userId, used.expiresAt)
    await inviteToSetPassword(transaction, userId, invitation.code)
  }
  await app.revoking(
    () => inTransaction(db, undo),
    () => [],
  )
}
