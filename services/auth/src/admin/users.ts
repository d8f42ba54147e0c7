import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import {
  inTransaction,
  NoContent,
  Problem,
  ProblemError,
  type Transaction,
  Uuid,
} from '@latchkey/service-kit'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { formatUser, UserReply } from '../accounts/schemas.ts'
import { findUserByEmail, findUserById } from '../accounts/store.ts'
import { checkOpenSession, requireOpenSession } from '../sessions/open-session.ts'
import { changeUser, deleteUser, type LockedUser, lockForAdmin } from './store.ts'

const UserChange = Type.Object(
  {
    disabled: Type.Optional(Type.Boolean()),
    roles: Type.Optional(
      Type.Array(
        Type.String({
          pattern: '^[\\w:.-]{1,50}$',
          description: 'a name of up to 50 letters, digits and `_ : . -`',
          examples: ['editor'],
        }),
        { maxItems: 20, uniqueItems: true },
      ),
    ),
    scope: Type.Optional(
      Type.String({
        maxLength: 400,
        pattern: '^([!#-\\[\\]-~]+( [!#-\\[\\]-~]+)*)?$',
        description: 'scope values separated by single spaces',
        examples: ['orders:read orders:write'],
      }),
    ),
  },
  { additionalProperties: false, minProperties: 1 },
)

/** Lets admins read and change users. The token's role is compared with the database. */
export const adminUsersRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { db } = app
  app.addHook('preHandler', requireOpenSession)

  app.get(
    '/admin/users',
    {
      config: { roles: ['admin'] },
      schema: {
        tags: ['admin'],
        operationId: 'findUser',
        summary: 'Find a user by e-mail address',
        querystring: Type.Object(
          { email: Type.String({ maxLength: 254 }) },
          { additionalProperties: false },
        ),
        response: { 200: UserReply, 404: Problem },
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
        operationId: 'getUser',
        summary: 'Read a user',
        params: Type.Object({ id: Uuid }),
        response: { 200: UserReply, 404: Problem },
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
      const user = await asAdmin(request, (transaction, old) => {
        const staysAdmin = disabled !== true && (roles ?? old.roles).includes('admin')
        if (old.isLastAdmin && !staysAdmin) throw lastAdmin()
        return changeUser(transaction, old, { disabled, roles, scope })
      })
      logChange(request, { disabled, roles, scope })
      return formatUser(user)
    },
  )

  app.delete(
    '/admin/users/:id',
    {
      config: { roles: ['admin'] },
      schema: {
        tags: ['admin'],
        operationId: 'deleteUser',
        summary: 'Delete a user: ends all sessions and revokes their tokens',
        params: Type.Object({ id: Uuid }),
        response: { 204: NoContent, 404: Problem, 409: Problem },
      },
    },
    async (request, reply) => {
      await asAdmin(request, (transaction, old) => {
        if (old.isLastAdmin) throw lastAdmin()
        return deleteUser(transaction, old.id)
      })
      logChange(request, { deleted: true })
      return reply.code(204).send(null)
    },
  )
}

type UserRequest = FastifyRequest<{ Params: { id: string } }>

/**
 * Runs a change of one user in a transaction. Under its locks it checks again that the caller is an
 * admin: the request may have waited while the caller was disabled.
 */
async function asAdmin<T>(
  { server, params, user }: UserRequest,
  change: (transaction: Transaction, old: LockedUser) => Promise<T>,
): Promise<T> {
  const inOrder = async (transaction: Transaction) => {
    const old = await lockForAdmin(transaction, { userId: params.id, sessionId: user.sid })
    await checkOpenSession(transaction, user)
    return change(transaction, old ?? notFound())
  }
  return server.revoking(
    () => inTransaction(server.db, inOrder),
    () => [],
  )
}

/** The record of who changed whom. Roles and scope are no secrets; an e-mail address is personal. */
function logChange({ log, user, params }: UserRequest, change: object): void {
  log.info({ admin: user.sub, user: params.id, change }, 'user changed by an admin')
}

const lastAdmin = () =>
  new ProblemError(
    409,
    'last_admin',
    'This user is the only admin. Give another user the admin role first.',
  )

function notFound(): never {
  throw new ProblemError(404, 'user_not_found', 'There is no user with this ID or e-mail address.')
}
