import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'

const WhoamiReply = Type.Object(
  {
    sub: Type.String(),
    sid: Type.Optional(Type.String()),
    scope: Type.String(),
    roles: Type.Array(Type.String()),
    servedBy: Type.String({ description: 'The instance that answered.', examples: ['orders-1'] }),
  },
  { title: 'Whoami' },
)

/** `GET /whoami`: the token's claims. It looks nothing up, so it depends on no other service. */
export const whoamiRoute: FastifyPluginAsyncTypebox<{ servedBy: string }> = async (
  app,
  { servedBy },
) => {
  app.get(
    '/whoami',
    {
      schema: {
        tags: ['tokens'],
        operationId: 'whoami',
        summary: 'Read the claims of your token and the name of the instance that answered',
        response: { 200: WhoamiReply },
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
