import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem } from '@latchkey/service-kit'
import { sessionEnded } from '../sessions/open-session.ts'
import { UserReply } from './schemas.ts'
import { findBySession } from './store.ts'
import { userReply } from './user-reply.ts'

/** Who the token speaks for. Asked here, in the database, so an ended session is refused at once. */
export const meRoute: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/me',
    {
      schema: {
        tags: ['accounts'],
        summary: 'Your account',
        response: { 200: UserReply, 401: Problem, 503: Problem },
      },
    },
    async ({ user: { sub, sid } }) => {
      const user = sid && (await findBySession(app.db, sub, sid))
      if (!user) throw sessionEnded()
      return userReply(user)
    },
  )
}
