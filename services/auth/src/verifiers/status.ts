import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem } from '@latchkey/service-kit'
import { Type } from 'typebox'
import { requireService } from './require-service.ts'
import { listLiveSigningKeys, listVerifiers } from './store.ts'

const KeysStatus = Type.Object({
  verifiers: Type.Array(
    Type.Object({
      service: Type.String(),
      instance: Type.String(),
      kids: Type.Array(Type.String(), { description: 'The first is the one it would sign with.' }),
      age_seconds: Type.Number({ description: 'How long ago it reported.' }),
    }),
  ),
  signing_keys: Type.Array(
    Type.Object({
      kid: Type.String(),
      live_seconds: Type.Number({ description: 'Until no token signed with it can live.' }),
    }),
  ),
})

/** Who verifies with which keys, and which keys tokens may still be signed with: for `latchkey keys`. */
export const keysStatusRoute: FastifyPluginAsyncTypebox = async (app) => {
  const { db } = app
  app.get(
    '/keys/status',
    {
      config: { scopes: ['keys:read'] },
      preHandler: requireService,
      schema: {
        tags: ['services'],
        summary: 'Which keys the verifiers hold, and which keys living tokens are signed with',
        response: { 200: KeysStatus, 401: Problem, 403: Problem, 503: Problem },
      },
    },
    async () => ({
      verifiers: (await listVerifiers(db)).map(({ ageSeconds, ...verifier }) => ({
        ...verifier,
        age_seconds: ageSeconds,
      })),
      signing_keys: (await listLiveSigningKeys(db)).map(({ kid, liveSeconds }) => ({
        kid,
        live_seconds: liveSeconds,
      })),
    }),
  )
}
