import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { requireOpenSession } from '../sessions/open-session.ts'
import { sessionEnded } from '../sessions/problems.ts'
import { formatUser, UserReply } from './schemas.ts'
import { findUserById } from './store.ts'

/** The account of the token's user. */
export const profileRoute: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/me',
    {
      preHandler: requireOpenSession,
      schema: {
        tags: ['accounts'],
        operationId: 'getMe',
        summary: 'Read your account',
        response: { 200: UserReply },
      },
    },
    async ({ user }) => {
      const found = await findUserById(app.db, user.sub)
      if (!found) throw sessionEnded()
      return formatUser(found)
    },
  )
}
