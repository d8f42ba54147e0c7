import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction, NoContent, Problem, type Transaction } from '@latchkey/service-kit'
import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import { callerOf } from '../caller.ts'
import { perNetwork } from '../limits/per-network.ts'
import { CurrentPassword, Email, trimEmail } from '../passwords/credentials.ts'
import { requireOpenSession } from '../sessions/open-session.ts'
import { sessionEnded } from '../sessions/problems.ts'
import {
  findAddressCode,
  forgetCodes,
  offerUndo,
  requestEmailChange,
  useCode,
} from './codes-store.ts'
import { codeTtl, createCode } from './new-code.ts'
import { verifyOwnPassword } from './own-user.ts'
import { emailTaken } from './problems.ts'
import { changeEmail } from './store.ts'
import { ConfirmedCode, checkCode, invalidCode, VerificationReply } from './verification.ts'

const EmailChange = Type.Object(
  { email: Email, password: CurrentPassword },
  { additionalProperties: false },
)

/**
 * Changes the e-mail address of the token's user: the new address confirms, and the old one is told
 * and can undo it. For the current address, this verifies it.
 */
export const changeEmailRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { config } = app

  app.post(
    '/me/email',
    {
      config: { rateLimit: perNetwork(config, 'requestEmailChange') },
      preValidation: trimEmail,
      preHandler: requireOpenSession,
      schema: {
        tags: ['accounts'],
        operationId: 'requestEmailChange',
        summary: 'Mail a code to your new address; your current one verifies it',
        body: EmailChange,
        response: { 202: VerificationReply, 403: Problem, 501: Problem },
      },
    },
    async (request, reply) => reply.code(202).send(await mailAddressCode(request, request.body)),
  )

  app.post(
    '/me/email/confirm',
    {
      // The code is the proof. A link may be opened where nobody has logged in.
      config: { public: true, rateLimit: perNetwork(config, 'changeEmail') },
      schema: {
        tags: ['accounts'],
        operationId: 'changeEmail',
        summary: 'Change your address with the code that was mailed to the new one',
        body: ConfirmedCode,
        response: { 204: NoContent, 409: Problem, 429: Problem },
      },
    },
    async (request, reply) => {
      await confirmEmailChange(request, request.body)
      return reply.code(204).send(null)
    },
  )
}

/**
 * Mails a code to a new address of the caller.
 *
 * @throws ProblemError 401 `token_revoked`, 501 `mail_not_configured`, and those of
 *   `verifyOwnPassword`
 */
export async function mailAddressCode(
  request: FastifyRequest,
  { email, password }: Static<typeof EmailChange>,
): Promise<Static<typeof VerificationReply>> {
  const { server: app } = request
  const { userId } = callerOf(request)
  const { passwordVersion } = await verifyOwnPassword(request, password)
  const { code, reply } = await createCode(app, {
    recipient: email,
    page: 'account',
    ttlSeconds: codeTtl.requested,
    event: describeEvent(request),
  })
  const change = { userId, passwordVersion, email }
  const requested = await app.durably(() => requestEmailChange(app.db, change, code))
  if (!requested) throw sessionEnded()
  return reply
}

/**
 * Changes an address with the code that was mailed to the new one; the old one can undo it.
 *
 * @throws ProblemError 400 `code_invalid`, 409 `email_taken`, 429 `too_many_failures`
 */
export async function confirmEmailChange(
  request: FastifyRequest,
  body: Static<typeof ConfirmedCode>,
): Promise<void> {
  const { network, server: app } = request
  const find = (idHash: Buffer) => findAddressCode(app.db, 'email-change', idHash)
  const code = await checkCode(app.db, { body, network, find, event: describeEvent(request) })
  const { userId, oldEmail, email: newEmail } = code
  const event = describeEvent(request, { actor: 'user' })
  const undo = await createCode(app, {
    recipient: oldEmail,
    page: 'account',
    query: { undo: '1' },
    ttlSeconds: codeTtl.unasked,
  })
  const change = async (transaction: Transaction) => {
    if (!(await useCode(transaction, 'email-change', code))) throw invalidCode()
    const changed = await changeEmail(transaction, { userId, email: newEmail, event })
    if (!changed) throw emailTaken()
    await forgetCodes(transaction, userId)
    if (newEmail.toLowerCase() === oldEmail.toLowerCase()) return
    await offerUndo(transaction, { userId, email: oldEmail }, undo.code)
  }
  await app.durably(() => inTransaction(app.db, change))
}
