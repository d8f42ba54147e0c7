import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem } from '@latchkey/service-kit'
import { Type } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import { NewPassword, normalizeNewPassword } from '../passwords/credentials.ts'
import { emailTaken } from './problems.ts'
import { confirmRegistration, findRegistration } from './registrations-store.ts'
import { formatUser, UserReply } from './schemas.ts'
import { checkCode, invalidCode, MailedCode } from './verification.ts'

/**
 * Creates an account with the code that was mailed to its address. The password is set here, by
 * whoever reads the mail: one from the request for the code could be a stranger's, who waits for the
 * owner of the address to confirm it.
 */
export const confirmRegistrationRoute: FastifyPluginAsyncTypebox = async (app) => {
  const { config, db, passwords } = app
  const rateLimit = { max: app.config.LATCHKEY_REGISTER_LIMIT, timeWindow: 60_000 }

  app.post(
    '/email-verification/confirm',
    {
      config: { public: true, rateLimit },
      preValidation: normalizeNewPassword('password'),
      schema: {
        tags: ['accounts'],
        operationId: 'confirmRegistration',
        summary: 'Create an account with the code from the mail',
        body: Type.Object(
          { ...MailedCode, password: NewPassword },
          { additionalProperties: false },
        ),
        response: { 201: UserReply, 409: Problem, 429: Problem },
      },
    },
    async (request, reply) => {
      const { body, network } = request
      const find = (idHash: Buffer) => findRegistration(db, idHash)
      const registration = await checkCode(db, {
        body,
        network,
        find,
        event: describeEvent(request),
      })
      await app.passwordRules.assertAcceptable(body.password, registration)
      const passwordHash = await passwords.admit(network, (hasher) => hasher.hash(body.password))
      const confirmed = await app.durably(() =>
        confirmRegistration(db, registration, {
          passwordHash,
          scope: config.LATCHKEY_DEFAULT_SCOPE,
          // Not that of the request for the code, which may be a stranger's.
          network,
          event: describeEvent(request, { actor: 'user' }),
        }),
      )
      if (!confirmed) throw invalidCode()
      if (!confirmed.user) throw emailTaken()
      return reply.code(201).send(formatUser(confirmed.user))
    },
  )
}
