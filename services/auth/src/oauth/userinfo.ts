import formbody from '@fastify/formbody'
import type { Verifier } from '@latchkey/verify'
import { latchkey } from '@latchkey/verify/fastify'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { findUserById } from '../accounts/store.ts'
import { requireOpenSession } from '../sessions/open-session.ts'
import { sessionEnded } from '../sessions/problems.ts'
import { userClaims } from './id-token.ts'

/**
 * The userinfo endpoint (OpenID Connect Core section 5.3): what an app may know about its user. Any
 * access token with the scope `openid` will do, whatever its audience is.
 */
export const userinfoRoute: FastifyPluginAsync<{ accessTokens: Verifier }> = async (
  app,
  { accessTokens },
) => {
  await app.register(latchkey, { verifier: accessTokens })
  // A client that posts need not send anything.
  app.removeAllContentTypeParsers()
  await app.register(formbody)

  app.route({
    method: ['GET', 'POST'],
    url: '/userinfo',
    config: { scopes: ['openid'] },
    preHandler: requireOpenSession,
    handler: async ({ user }: FastifyRequest, reply) => {
      const { sub, scope = '', roles = [] } = user
      const found = await findUserById(app.db, sub)
      if (!found) throw sessionEnded()
      reply.header('cache-control', 'no-store')
      return { sub, ...userClaims(scope, found), roles }
    },
  })
}
