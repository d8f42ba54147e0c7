import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem, ProblemError } from '@latchkey/service-kit'
import type { FastifyRequest } from 'fastify'
import type { Static } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import { perNetwork } from '../limits/per-network.ts'
import { normalizeNewPassword, trimEmail } from '../passwords/credentials.ts'
import { codeTtl, createCode } from './new-code.ts'
import { emailTaken } from './problems.ts'
import { requestRegistration } from './registrations-store.ts'
import { formatUser, Registration, UserReply } from './schemas.ts'
import { createUser, type User } from './store.ts'
import { VerificationReply } from './verification.ts'

/**
 * Creates an account, or mails a code that does. Where registration is verified, the reply is the
 * same for every address; where it is open, it reveals whether an address has an account, and the
 * limit slows a search.
 */
export const registerRoute: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/register',
    {
      config: { public: true, rateLimit: perNetwork(app.config, 'register') },
      preValidation: [trimEmail, normalizeNewPassword('password')],
      schema: {
        tags: ['accounts'],
        operationId: 'register',
        summary: 'Create an account, or ask for the code that confirms one',
        body: Registration,
        response: { 201: UserReply, 202: VerificationReply, 403: Problem, 409: Problem },
      },
    },
    async (request, reply) => {
      const { user, verification } = await registerUser(request, request.body)
      return user ? reply.code(201).send(formatUser(user)) : reply.code(202).send(verification)
    },
  )
}

/**
 * Creates a user, or mails a code that does.
 *
 * @throws ProblemError 403 `registration_closed`, 409 `email_taken`, and those of new passwords
 */
export async function registerUser(
  request: FastifyRequest,
  { email, password }: Static<typeof Registration>,
): Promise<Registered> {
  const { network, server: app } = request
  const { config, db, passwords } = app
  const event = describeEvent(request)
  if (app.registration === 'closed') throw registrationClosed()
  if (password !== undefined) await app.passwordRules.assertAcceptable(password, { email })
  if (app.registration === 'verified') {
    const ttlSeconds = codeTtl.requested
    const created = await createCode(app, { recipient: email, page: 'register', ttlSeconds, event })
    await app.durably(() => requestRegistration(db, email, created.code))
    return { verification: created.reply }
  }
  if (password === undefined) throw passwordMissing()
  const passwordHash = await passwords.admit(network, (hasher) => hasher.hash(password))
  const scope = config.LATCHKEY_DEFAULT_SCOPE
  const user = await app.durably(() =>
    createUser(db, { email, passwordHash, scope, network, event: { ...event, actor: 'user' } }),
  )
  if (!user) throw emailTaken()
  return { user }
}

type Registered =
  | { user: User; verification?: undefined }
  | { user?: undefined; verification: Static<typeof VerificationReply> }

const passwordMissing = () =>
  new ProblemError(400, 'invalid_request', 'The request is not valid.', {}, [
    { path: '/body', message: "must have required property 'password'" },
  ])

export const registrationClosed = () =>
  new ProblemError(
    403,
    'registration_closed',
    'Registration is closed. Ask an administrator for an account.',
  )
