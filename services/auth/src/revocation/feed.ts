import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { limits } from '@latchkey/verify'
import { Type } from 'typebox'
import { requireService } from '../verifiers/require-service.ts'
import { reportVerifier } from '../verifiers/store.ts'
import { listRevocations, type RevocationPage } from './store.ts'

/** Maximum entries in one answer. A verifier that has just started polls until all are read. */
const pageSize = 10_000

const FeedQuery = Type.Object(
  {
    after: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, default: 0 }),
    instance: Type.Optional(Type.String({ description: 'Name of the verifier, for its report.' })),
    kids: Type.Optional(
      Type.String({ description: 'Comma-separated key IDs of the verifier, for its report.' }),
    ),
  },
  { additionalProperties: false },
)

/** A tuple, in the words that OpenAPI 3.1 and ajv's draft-07 share. */
const tuple = (length: number) =>
  Type.Array(Type.Union([Type.String(), Type.Number()]), { minItems: length, maxItems: length })

const FeedPage = Type.Object({
  cursor: Type.Integer({ description: 'The `after` of the next request.' }),
  more: Type.Boolean({ description: 'Whether to send the next request immediately.' }),
  now: Type.Number({
    description: 'The time in seconds since 1970, by the clock that decides when entries expire.',
  }),
  sessions: Type.Array(tuple(2), {
    description: '`sid`, and when the entry may be deleted, in seconds since 1970.',
  }),
  subjects: Type.Array(tuple(3), {
    description:
      '`sub`, the smallest `iat` of its valid tokens, and when the entry may be deleted, in seconds since 1970.',
  }),
})

/**
 * The revocations after a number, for the verifiers that poll them in the background.
 *
 * Without news the answer is 304, by ETag. A cursor ahead of the sequence comes from a database
 * since restored from a backup; the feed then starts from the beginning. Each poll also reports the
 * verifier's keys. A report that cannot be stored does not fail the poll.
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
        operationId: 'listRevocations',
        summary: 'List the revocations after a sequence number',
        querystring: FeedQuery,
        response: { 200: FeedPage, 304: Type.Null({ description: 'Nothing new.' }) },
      },
    },
    async ({ query, headers, user, log }, reply) => {
      const { after, instance = '', kids = '' } = query
      if (isReportable(instance, kids)) {
        const service = user.sub.slice('service:'.length)
        await reportVerifier(db, { service, instance, kids: kids.split(',') }).catch((err) =>
          log.warn({ err }, 'the key report of a verifier could not be stored'),
        )
      }
      let page = await listRevocations(db, { after, limit: pageSize })
      const isCursorAhead = after > page.lastSeq
      if (isCursorAhead) page = await listRevocations(db, { after: 0, limit: pageSize })
      const cursor = page.last ?? (isCursorAhead ? 0 : after)
      const etag = `"${cursor}"`
      reply.header('etag', etag).header('cache-control', 'no-cache')
      if (headers['if-none-match'] === etag) return reply.code(304).send(null)
      // Fastify sends text as it is.
      return reply.type('application/json').send(formatPage(page, cursor) as never)
    },
  )
}

/** A `FeedPage` as text: its lists are JSON already. */
function formatPage({ sessions, subjects, count, now }: RevocationPage, cursor: number): string {
  const more = count === pageSize
  return `{"cursor":${cursor},"more":${more},"now":${now},"sessions":${sessions},"subjects":${subjects}}`
}

/** Whether a report names a verifier and its keys, and is no longer than a verifier sends. */
function isReportable(instance: string, kids: string): boolean {
  const { maxInstanceLength, maxKidsLength } = limits
  const isShort = instance.length <= maxInstanceLength && kids.length <= maxKidsLength
  return instance !== '' && kids !== '' && isShort
}
