import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem, ProblemError } from '@latchkey/service-kit'
import { normalizeNewPassword, trimEmail } from '../passwords/credentials.ts'
import { formatUser, Registration, UserReply } from './schemas.ts'
import { createUser } from './store.ts'

/** Creates an account. A reply reveals whether an address has one; the limit slows a search. */
export const registerRoute: FastifyPluginAsyncTypebox = async (app) => {
  const { config, db, passwords } = app

  app.post(
    '/register',
    {
      config: {
        public: true,
        rateLimit: { max: config.LATCHKEY_REGISTER_LIMIT, timeWindow: 60_000 },
      },
      preValidation: [trimEmail, normalizeNewPassword('password')],
      schema: {
        tags: ['accounts'],
        operationId: 'register',
        summary: 'Create an account',
        body: Registration,
        response: { 201: UserReply, 409: Problem },
      },
    },
    async (request, reply) => {
      const { email, password } = request.body
      const { network } = request
      const passwordHash = await passwords.admit(network, (hasher) => hasher.hash(password))
      const scope = config.LATCHKEY_DEFAULT_SCOPE
      const user = await app.durably(() => createUser(db, { email, passwordHash, scope, network }))
      if (!user) {
        throw new ProblemError(409, 'email_taken', 'This e-mail address already has an account.')
      }
      return reply.code(201).send(formatUser(user))
    },
  )
}
