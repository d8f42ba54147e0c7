import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem } from '@latchkey/service-kit'
import { Type } from 'typebox'

const WhoamiReply = Type.Object({
  sub: Type.String(),
  sid: Type.Optional(Type.String()),
  scope: Type.String(),
  roles: Type.Array(Type.String()),
  servedBy: Type.String({ description: 'The instance that answered.' }),
})

/** What the token says of its bearer. Nothing is looked up, so it answers whatever else is away. */
export const whoamiRoute: FastifyPluginAsyncTypebox<{ servedBy: string }> = async (
  app,
  { servedBy },
) => {
  app.get(
    '/whoami',
    {
      schema: {
        summary: 'Who the token speaks for, and which instance answered',
        response: { 200: WhoamiReply, 401: Problem },
      },
    },
    async ({ user: { sub, sid, scope = '', roles = [] } }) => ({
      sub,
      ...(sid !== undefined && { sid }),
      scope,
      roles: [...roles],
      servedBy,
    }),
  )
}
