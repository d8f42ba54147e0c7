import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem } from '@latchkey/service-kit'
import type { FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import { perNetwork } from '../limits/per-network.ts'
import { normalizeNewPassword } from '../passwords/credentials.ts'
import { emailTaken } from './problems.ts'
import { confirmRegistration, findRegistration } from './registrations-store.ts'
import { CodeAndPassword, formatUser, UserReply } from './schemas.ts'
import type { User } from './store.ts'
import { checkCode, invalidCode } from './verification.ts'

/**
 * Creates an account with the code that was mailed to its address. The password is set here, by
 * whoever reads the mail: one from the request for the code could be a stranger's, who waits for the
 * owner of the address to confirm it.
 */
export const confirmRegistrationRoute: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/email-verification/confirm',
    {
      config: { public: true, rateLimit: perNetwork(app.config, 'confirmRegistration') },
      preValidation: normalizeNewPassword('password'),
      schema: {
        tags: ['accounts'],
        operationId: 'confirmRegistration',
        summary: 'Create an account with the code from the mail',
        body: CodeAndPassword,
        response: { 201: UserReply, 409: Problem, 429: Problem },
      },
    },
    async (request, reply) => {
      const user = await createRegisteredUser(request, request.body)
      return reply.code(201).send(formatUser(user))
    },
  )
}

/**
 * Creates a user with a mailed code.
 *
 * @throws ProblemError 400 `code_invalid`, 409 `email_taken`, 429 `too_many_failures`, and those of
 *   new passwords
 */
export async function createRegisteredUser(
  request: FastifyRequest,
  body: Static<typeof CodeAndPassword>,
): Promise<User> {
  const { network, server: app } = request
  const { config, db, passwords } = app
  const find = (idHash: Buffer) => findRegistration(db, idHash)
  const event = describeEvent(request)
  const registration = await checkCode(db, { body, network, find, event })
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
  return confirmed.user
}
