import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem } from '@latchkey/service-kit'
import { Type } from 'typebox'
import { recordRead } from '../audit/record-read.ts'
import { requireOperator } from './require-client.ts'
import { listLiveSigningKeys, listVerifiers } from './store.ts'

const KeysStatus = Type.Object({
  verifiers: Type.Array(
    Type.Object({
      service: Type.String(),
      instance: Type.String(),
      kids: Type.Array(Type.String(), {
        description:
          'Key IDs. Auth signs with the first one. The last one of a service is the key that it authenticates with: `<root key>/<service>`.',
      }),
      age_seconds: Type.Number({ description: 'Time since its last report, in seconds.' }),
      clock_ahead_seconds: Type.Union([Type.Number(), Type.Null()], {
        description:
          "How far its clock is ahead of the database's, in seconds, with a resolution of a " +
          'second; `null` when that is not known.',
      }),
    }),
  ),
  signing_keys: Type.Array(
    Type.Object({
      kid: Type.String(),
      live_seconds: Type.Number({
        description: 'Time until every token signed with it has expired, in seconds.',
      }),
    }),
  ),
})

/** For `latchkey`: the keys and the clock of each verifier, and which keys signed live tokens. */
export const keysStatusRoute: FastifyPluginAsyncTypebox = async (app) => {
  const { db } = app
  app.get(
    '/keys/status',
    {
      preHandler: [requireOperator, recordRead],
      schema: {
        tags: ['services'],
        operationId: 'getKeysStatus',
        summary: 'List the keys that verifiers have and the keys that signed live tokens',
        response: { 200: KeysStatus, 403: Problem },
      },
    },
    async () => ({
      verifiers: (await listVerifiers(db)).map(
        ({ ageSeconds, clockAheadSeconds, ...verifier }) => ({
          ...verifier,
          age_seconds: ageSeconds,
          clock_ahead_seconds: clockAheadSeconds,
        }),
      ),
      signing_keys: (await listLiveSigningKeys(db)).map(({ kid, liveSeconds }) => ({
        kid,
        live_seconds: liveSeconds,
      })),
    }),
  )
}
