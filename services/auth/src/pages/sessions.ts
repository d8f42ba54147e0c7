import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Uuid } from '@latchkey/service-kit'
import { Type } from 'typebox'
import { callerOf } from '../caller.ts'
import { endOwnSession, endOwnSessions } from '../sessions/list.ts'
import { renderSignedOutEverywhere } from './templates/logout.ts'

/** The buttons of the account page that end sessions. */
export const sessionForms: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/end-session',
    {
      schema: {
        operationId: 'endSession',
        body: Type.Object({ id: Uuid }, { additionalProperties: false }),
      },
    },
    async (request, reply) => {
      const { id } = request.body
      // One that has ended is not on the page that follows.
      await endOwnSession(request, id)
      if (id === callerOf(request).sessionId) reply.rememberSession(undefined)
      return reply.redirect('account', 303)
    },
  )

  app.post(
    '/end-all-sessions',
    { schema: { operationId: 'endAllSessions' } },
    async (request, reply) => {
      await endOwnSessions(request)
      reply.rememberSession(undefined)
      return reply.sendPage(renderSignedOutEverywhere(request.texts))
    },
  )
}
