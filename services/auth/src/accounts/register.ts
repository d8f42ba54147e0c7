import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem, ProblemError } from '@latchkey/service-kit'
import { networkOf } from '../limits/network.ts'
import { Registration, UserReply, userReply } from './schemas.ts'
import { create } from './store.ts'

/** Opens an account. Whether an e-mail address has one can be asked here, at the rate limit's pace. */
export const registerRoute: FastifyPluginAsyncTypebox = async (app) => {
  const { config, db, passwords } = app

  app.post(
    '/register',
    {
      config: {
        public: true,
        rateLimit: { max: config.LATCHKEY_REGISTER_LIMIT, timeWindow: 60_000 },
      },
      schema: {
        tags: ['accounts'],
        summary: 'Open an account',
        body: Registration,
        response: { 201: UserReply, 400: Problem, 409: Problem, 429: Problem, 503: Problem },
      },
    },
    async (request, reply) => {
      const { email, password } = request.body
      const hash = await passwords.hash(password)
      const user = await create(db, email, hash, config.LATCHKEY_DEFAULT_SCOPE, networkOf(request))
      if (!user) {
        throw new ProblemError(409, 'email_taken', 'There is an account for this e-mail address.')
      }
      return reply.code(201).send(userReply(user))
    },
  )
}
