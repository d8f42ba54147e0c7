import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction, Problem, ProblemError, Uuid } from '@latchkey/service-kit'
import { Type } from 'typebox'
import { formatUser, UserReply } from '../accounts/schemas.ts'
import { changeUser, findUserByEmail, findUserById } from '../accounts/store.ts'
import { requireAdmin } from '../sessions/open-session.ts'

const UserChange = Type.Object(
  {
    disabled: Type.Optional(Type.Boolean()),
    roles: Type.Optional(
      Type.Array(Type.String({ pattern: '^[\\w:.-]{1,50}$' }), { maxItems: 20, uniqueItems: true }),
    ),
    scope: Type.Optional(
      Type.String({ maxLength: 400, pattern: '^([!#-\\[\\]-~]+( [!#-\\[\\]-~]+)*)?$' }),
    ),
  },
  { additionalProperties: false, minProperties: 1 },
)

const problems = { 400: Problem, 401: Problem, 403: Problem, 404: Problem, 503: Problem }

/** Lets admins read and change users. The role is looked up, not taken from the token. */
export const adminUsersRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { db } = app
  app.addHook('preHandler', requireAdmin)

  app.get(
    '/admin/users',
    {
      config: { roles: ['admin'] },
      schema: {
        tags: ['admin'],
        summary: 'Find a user by e-mail address',
        querystring: Type.Object({ email: Type.String({ maxLength: 254 }) }),
        response: { 200: UserReply, ...problems },
      },
    },
    async ({ query }) => formatUser((await findUserByEmail(db, query.email)) ?? notFound()),
  )

  app.get(
    '/admin/users/:id',
    {
      config: { roles: ['admin'] },
      schema: {
        tags: ['admin'],
        summary: 'Read a user',
        params: Type.Object({ id: Uuid }),
        response: { 200: UserReply, ...problems },
      },
    },
    async ({ params }) => formatUser((await findUserById(db, params.id)) ?? notFound()),
  )

  app.patch(
    '/admin/users/:id',
    {
      config: { roles: ['admin'] },
      schema: {
        tags: ['admin'],
        summary:
          'Disable or enable a user, or set roles or scope; every service enforces it in about a second',
        params: Type.Object({ id: Uuid }),
        body: UserChange,
        response: { 200: UserReply, ...problems },
      },
    },
    async ({ params, body: { disabled, roles, scope } }) => {
      const user = await inTransaction(db, (transaction) =>
        changeUser(transaction, params.id, { disabled, roles, scope }),
      )
      return formatUser(user ?? notFound())
    },
  )
}

function notFound(): never {
  throw new ProblemError(404, 'user_not_found', 'There is no user with this ID or e-mail address.')
}
