import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem } from '@latchkey/service-kit'
import { type Claims, limits } from '@latchkey/verify'
import { Type } from 'typebox'
import { findClient } from '../client.ts'
import { readClient } from '../verifiers/require-client.ts'
import { reportVerifier } from '../verifiers/store.ts'
import { listRevocations, parseCursor, type RevocationPage } from './store.ts'

const FeedQuery = Type.Object(
  {
    after: Type.Optional(
      Type.String({
        pattern: '^\\d{1,18}(\\.[0-9a-f]{1,16})?$',
        description:
          'The cursor of the last page; left out, the list starts from the beginning. A number alone is the cursor of a verifier before version 0.2.',
      }),
    ),
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
  cursor: Type.Union([Type.String(), Type.Integer()], {
    description:
      'The `after` of the next request. If the database has lost the revocation that it names, the next page is the first one.',
  }),
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
 * The revocations after a cursor, for the verifiers that poll them in the background.
 *
 * Without news the answer is 304, by ETag. A cursor whose row is missing comes from a history that
 * the database has lost, in a failover or by a restore: then the list starts from the beginning, and
 * the verifier adds it to what it knows. Each poll also reports the verifier's keys. A report that
 * cannot be stored does not fail the poll, but a read-only server does.
 */
export const feedRoute: FastifyPluginAsyncTypebox = async (app) => {
  const { db } = app

  app.get(
    '/revocations',
    {
      logLevel: 'warn',
      schema: {
        tags: ['services'],
        operationId: 'listRevocations',
        summary: 'List the revocations after a cursor',
        querystring: FeedQuery,
        response: { 200: FeedPage, 304: Type.Null({ description: 'Nothing new.' }), 403: Problem },
      },
    },
    async (request, reply) => {
      const { query, headers, user, log } = request
      const { name: service, kid } = readClient(request)
      const { instance = '', kids = '' } = query
      const after = parseCursor(query.after)
      if (isReportable(instance, kids)) {
        const known = kids.split(',').filter((reported) => !reported.includes('/'))
        const report = {
          service,
          instance,
          kids: kid === undefined ? known : [...known, kid],
          clockSeconds: clockOf(user),
        }
        await reportVerifier(db, report).catch((err) =>
          log.warn({ err }, 'the key report of a verifier could not be stored'),
        )
      }
      const page = await listRevocations(db, after)
      // A verifier before version 0.2 sends a number alone, and expects one.
      const isNumber = after !== undefined && after.tag === undefined
      const cursor = isNumber ? page.cursor.split('.', 1).join() : page.cursor
      const etag = `"${cursor}"`
      reply.header('etag', etag).header('cache-control', 'no-cache')
      if (headers['if-none-match'] === etag) return reply.code(304).send(null)
      // Fastify sends text as it is.
      return reply
        .type('application/json')
        .send(formatPage(page, isNumber ? cursor : etag) as never)
    },
  )
}

/** A `FeedPage` as text: its cursor and its lists are JSON already. */
function formatPage({ sessions, subjects, more, now }: RevocationPage, cursor: string): string {
  return `{"cursor":${cursor},"more":${more},"now":${now},"sessions":${sessions},"subjects":${subjects}}`
}

/** Whether a report names a verifier and its keys, within the lengths that a verifier sends. */
function isReportable(instance: string, kids: string): boolean {
  const { maxInstanceLength, maxKidsLength } = limits
  const isShort = instance.length <= maxInstanceLength && kids.length <= maxKidsLength
  return instance !== '' && kids !== '' && isShort
}

/**
 * The time by the clock of the client, in seconds since 1970, within half a second; `undefined` for a
 * credential with another lifetime than those of `@latchkey/verify`.
 */
function clockOf(claims: Claims): number | undefined {
  const { iat = Number.NaN, exp } = claims
  if (findClient(claims)?.kid !== undefined) {
    return exp - iat === limits.clientAssertionSeconds ? iat + 0.5 : undefined
  }
  const margin = limits.serviceTokenMarginSeconds
  return exp - iat === 2 * margin ? iat + margin + 0.5 : undefined
}
