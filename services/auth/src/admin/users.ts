import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { NoContent, Problem, Uuid } from '@latchkey/service-kit'
import { Type } from 'typebox'
import { deleteUser } from '../accounts/delete-store.ts'
import { lastAdmin } from '../accounts/problems.ts'
import { formatUser, UserReply } from '../accounts/schemas.ts'
import { findUserById } from '../accounts/store.ts'
import { describeEvent } from '../audit/describe-event.ts'
import { endAllSessions } from '../sessions/revoke-store.ts'
import { changeAsAdmin, userNotFound } from './require-admin.ts'
import { Roles, Scope } from './schemas.ts'
import { changeUser, listUsers } from './store.ts'

const config = { roles: ['admin'] }

const UserChange = Type.Object(
  {
    disabled: Type.Optional(Type.Boolean()),
    roles: Type.Optional(Roles),
    scope: Type.Optional(Scope),
  },
  { additionalProperties: false, minProperties: 1 },
)

const Address = { maxLength: 254, pattern: '^[ -~]*$' }

const UserQuery = Type.Object(
  {
    email_prefix: Type.Optional(
      Type.String({ ...Address, description: 'The beginning of the address, in any case.' }),
    ),
    after: Type.Optional(
      Type.String({ ...Address, description: 'The `next` of the page before.' }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
  },
  { additionalProperties: false },
)

const UserPage = Type.Object({
  users: Type.Array(UserReply),
  next: Type.Union([Type.String(), Type.Null()], {
    description: 'Pass it as `after` to get the next page.',
  }),
})

/** Lets admins and the operator read, change and delete users. */
export const adminUsersRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { db } = app

  app.get(
    '/admin/users',
    {
      config,
      schema: {
        tags: ['admin'],
        operationId: 'listUsers',
        summary: 'List users in the order of their addresses, or those whose address begins alike',
        querystring: UserQuery,
        response: { 200: UserPage },
      },
    },
    async ({ query }) => {
      const { email_prefix: prefix = '', after = '', limit = 50 } = query
      const rows = await listUsers(db, { prefix, after, limit: limit + 1 })
      const users = rows.slice(0, limit).map(formatUser)
      return { users, next: rows.length > limit ? (users.at(-1)?.email ?? null) : null }
    },
  )

  app.get(
    '/admin/users/:id',
    {
      config,
      schema: {
        tags: ['admin'],
        operationId: 'getUser',
        summary: 'Read a user',
        params: Type.Object({ id: Uuid }),
        response: { 200: UserReply, 404: Problem },
      },
    },
    async ({ params }) => formatUser((await findUserById(db, params.id)) ?? userNotFound()),
  )

  app.patch(
    '/admin/users/:id',
    {
      config,
      schema: {
        tags: ['admin'],
        operationId: 'changeUser',
        summary:
          'Disable or enable a user, or set roles or scope; every service enforces it in about a second',
        params: Type.Object({ id: Uuid }),
        body: UserChange,
        response: { 200: UserReply, 404: Problem, 409: Problem },
      },
    },
    async (request) => {
      const { disabled, roles, scope } = request.body
      const event = describeEvent(request, { detail: { disabled, roles, scope } })
      const user = await changeAsAdmin(request, (transaction, old) => {
        const staysAdmin = disabled !== true && (roles ?? old.roles).includes('admin')
        if (old.isLastAdmin && !staysAdmin) throw lastAdmin()
        return changeUser(transaction, old, { disabled, roles, scope, event })
      })
      return formatUser(user)
    },
  )

  app.delete(
    '/admin/users/:id',
    {
      config,
      schema: {
        tags: ['admin'],
        operationId: 'deleteUser',
        summary: 'Delete a user: ends all sessions and revokes their tokens',
        params: Type.Object({ id: Uuid }),
        response: { 204: NoContent, 404: Problem, 409: Problem },
      },
    },
    async (request, reply) => {
      const event = describeEvent(request)
      await changeAsAdmin(request, (transaction, old) => {
        if (old.isLastAdmin) throw lastAdmin()
        return deleteUser(transaction, old.id, event)
      })
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/admin/users/:id/sessions',
    {
      config,
      schema: {
        tags: ['admin'],
        operationId: 'endUserSessions',
        summary: 'End all sessions of a user and revoke their tokens',
        params: Type.Object({ id: Uuid }),
        response: { 204: NoContent, 404: Problem },
      },
    },
    async (request, reply) => {
      const event = describeEvent(request)
      await changeAsAdmin(request, (transaction, { id }) => endAllSessions(transaction, id, event))
      return reply.code(204).send(null)
    },
  )
}
