import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem } from '@latchkey/service-kit'
import { limits } from '@latchkey/verify'
import { Type } from 'typebox'
import { reportVerifier } from '../keys/store.ts'
import { requireService } from './require-service.ts'
import { listRevocations } from './store.ts'

/** Entries in one answer at most; a verifier that starts from nothing asks until there is no more. */
const pageSize = 10_000

const FeedQuery = Type.Object(
  {
    after: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, default: 0 }),
    instance: Type.Optional(Type.String({ description: 'Name of the verifier, to be noted.' })),
    kids: Type.Optional(
      Type.String({ description: 'Key IDs the verifier holds, with commas, to be noted.' }),
    ),
  },
  { additionalProperties: false },
)

const FeedPage = Type.Object({
  cursor: Type.Integer({ description: 'What to give as `after` next time.' }),
  more: Type.Boolean({ description: 'Whether to ask again at once.' }),
  sessions: Type.Array(Type.Tuple([Type.String(), Type.Number()]), {
    description: '`sid` and the time the entry may be forgotten.',
  }),
  subjects: Type.Array(Type.Tuple([Type.String(), Type.Number(), Type.Number()]), {
    description: '`sub`, the `iat` from which its tokens hold, and the time to forget it.',
  }),
})

/**
 * What was revoked after a number, for the verifiers that poll it in the background.
 *
 * An answer without news is 304, by ETag. A cursor from another life of the database (restored from a
 * backup) starts again from nothing. Each poll says which keys the verifier holds; no poll fails for it.
 */
export const feedRoute: FastifyPluginAsyncTypebox = async (app) => {
  const { db } = app

  app.get(
    '/revocations',
    {
      config: { scopes: ['revocations:read'] },
      logLevel: 'warn',
      preHandler: requireService,
      schema: {
        tags: ['services'],
        summary: 'What was revoked after a number',
        querystring: FeedQuery,
        response: { 200: FeedPage, 304: Type.Null(), 401: Problem, 403: Problem, 503: Problem },
      },
    },
    async ({ query, headers, user, log }, reply) => {
      const { after, instance = '', kids = '' } = query
      if (isWorthNoting(instance, kids)) {
        const service = user.sub.slice('service:'.length)
        await reportVerifier(db, { service, instance, kids: kids.split(',') }).catch((err) =>
          log.warn({ err }, 'the keys a verifier holds could not be noted'),
        )
      }
      let { revocations, lastSeq } = await listRevocations(db, after, pageSize)
      const isFromAnotherLife = after > lastSeq
      if (isFromAnotherLife) ({ revocations, lastSeq } = await listRevocations(db, 0, pageSize))
      const cursor = revocations.at(-1)?.seq ?? (isFromAnotherLife ? 0 : after)
      const etag = `"${cursor}"`
      reply.header('etag', etag).header('cache-control', 'no-cache')
      if (headers['if-none-match'] === etag) return reply.code(304).send(null)
      return reply.send({
        cursor,
        more: revocations.length === pageSize,
        sessions: revocations
          .filter(({ kind }) => kind === 'session')
          .map(({ id, expires }): [string, number] => [id, expires]),
        subjects: revocations
          .filter(({ kind }) => kind === 'subject')
          .map(({ id, notBefore, expires }): [string, number, number] => [
            id,
            notBefore ?? 0,
            expires,
          ]),
      })
    },
  )
}

/** Whether a report names a verifier and its keys, and is no longer than a verifier sends. */
function isWorthNoting(instance: string, kids: string): boolean {
  const { maxInstanceLength, maxKidsLength } = limits
  const isShort = instance.length <= maxInstanceLength && kids.length <= maxKidsLength
  return instance !== '' && kids !== '' && isShort
}
