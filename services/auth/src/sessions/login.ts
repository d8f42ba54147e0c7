import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem } from '@latchkey/service-kit'
import { Credentials } from '../passwords/credentials.ts'
import { logIn, passwordLogin } from './log-in.ts'
import { invalidCredentials } from './problems.ts'
import { TokenReply } from './tokens.ts'

/** Opens a session with a password. */
export const loginRoute: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/login',
    {
      ...passwordLogin(app),
      schema: {
        tags: ['sessions'],
        operationId: 'login',
        summary: 'Log in with an e-mail address and a password',
        body: Credentials,
        response: { 200: TokenReply, 401: Problem },
      },
    },
    async (request, reply) => {
      const session = await logIn(request, request.body)
      if (!session) throw invalidCredentials()
      return app.issueTokens(session, reply)
    },
  )
}
