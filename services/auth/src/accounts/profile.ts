import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem } from '@latchkey/service-kit'
import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import { callerOf } from '../caller.ts'
import { perUser } from '../limits/per-user.ts'
import { requireOpenSession } from '../sessions/open-session.ts'
import { sessionEnded } from '../sessions/problems.ts'
import { getOwnUser } from './own-user.ts'
import { formatUser, UserReply } from './schemas.ts'
import { changeProfile, type User } from './store.ts'

/** What a user may change; `null` removes it. */
export const ProfileChange = Type.Object(
  {
    display_name: Type.Optional(
      Type.Union([
        Type.String({
          minLength: 1,
          maxLength: 100,
          // Controls and the characters that reverse the writing direction could forge a log or a page.
          pattern: '^[^\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]+$',
          description: 'a name of up to 100 characters, without control characters',
          examples: ['Ada Lovelace'],
        }),
        Type.Null(),
      ]),
    ),
    locale: Type.Optional(
      Type.Union([
        Type.String({
          maxLength: 35,
          pattern: '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$',
          description: 'a language tag (BCP 47), such as de-AT',
          examples: ['en-GB'],
        }),
        Type.Null(),
      ]),
    ),
  },
  { additionalProperties: false, minProperties: 1 },
)

/** Each change adds an event to the audit log. */
export const profileLimit = perUser(20, 'changeProfile')

/** The account of the token's user. */
export const profileRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addHook('preHandler', requireOpenSession)

  app.get(
    '/me',
    {
      schema: {
        tags: ['accounts'],
        operationId: 'getMe',
        summary: 'Read your account',
        response: { 200: UserReply },
      },
    },
    async (request) => formatUser(await getOwnUser(request)),
  )

  app.patch(
    '/me',
    {
      config: { rateLimit: profileLimit },
      schema: {
        tags: ['accounts'],
        operationId: 'changeProfile',
        summary: 'Set or remove (null) your display name and your language',
        body: ProfileChange,
        response: { 200: UserReply, 429: Problem },
      },
    },
    async (request) => formatUser(await changeOwnProfile(request, request.body)),
  )
}

/**
 * Changes the profile of the caller.
 *
 * @throws ProblemError 401 `token_revoked`
 */
export async function changeOwnProfile(
  request: FastifyRequest,
  body: Static<typeof ProfileChange>,
): Promise<User> {
  const { server: app } = request
  const { display_name: displayName, locale } = body
  const detail = { changed: Object.keys(body) }
  const change = { displayName, locale, event: describeEvent(request, { detail }) }
  const { userId } = callerOf(request)
  const changed = await app.durably(() => changeProfile(app.db, userId, change))
  if (!changed) throw sessionEnded()
  return changed
}
