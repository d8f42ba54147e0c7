import { randomUUID } from 'node:crypto'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction, NoContent, Problem, type Transaction, Uuid } from '@latchkey/service-kit'
import { Type } from 'typebox'
import { inviteToSetPassword } from '../accounts/codes-store.ts'
import { codeTtl, createCode } from '../accounts/new-code.ts'
import { emailTaken } from '../accounts/problems.ts'
import { formatUser, UserReply } from '../accounts/schemas.ts'
import { createUser } from '../accounts/store.ts'
import { describeEvent } from '../audit/describe-event.ts'
import { Email, NewPassword, normalizeNewPassword, trimEmail } from '../passwords/credentials.ts'
import { changeAsAdmin } from './require-admin.ts'
import { Roles, Scope } from './schemas.ts'

/** The network that the user logs in from is not known. */
const unknownNetwork = '::'

const NewUser = Type.Object(
  {
    email: Email,
    roles: Type.Optional(Roles),
    scope: Type.Optional(Scope),
    password: Type.Optional({
      ...NewPassword,
      description: 'When it is left out, the user gets a mail with a code to set one.',
    }),
  },
  { additionalProperties: false },
)

/** Lets admins and the operator create users, and send them a code to set their password. */
export const createUserRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { db, passwords } = app
  const config = { roles: ['admin'] }
  const ttlSeconds = codeTtl.unasked

  app.post(
    '/admin/users',
    {
      config,
      preValidation: [trimEmail, normalizeNewPassword('password')],
      schema: {
        tags: ['admin'],
        operationId: 'createUser',
        summary: 'Create a user, who gets a mail to set a password',
        body: NewUser,
        response: { 201: UserReply, 409: Problem, 501: Problem },
      },
    },
    async (request, reply) => {
      const { body } = request
      const { email, roles = [], scope = app.config.LATCHKEY_DEFAULT_SCOPE, password } = body
      if (password !== undefined) await app.passwordRules.assertAcceptable(password, { email })
      const event = describeEvent(request, { detail: { roles, scope } })
      const recipient = { recipient: email, page: 'reset', ttlSeconds } as const
      const invitation = password === undefined ? await createCode(app, recipient) : undefined
      const passwordHash = await passwords.admit(request.network, (hasher) =>
        // A password that nobody knows, until the user has set one.
        hasher.hash(password ?? randomUUID()),
      )
      const create = async (transaction: Transaction) => {
        const user = { email, passwordHash, scope, roles, network: unknownNetwork, event }
        const created = await createUser(transaction, user)
        if (!created) throw emailTaken()
        if (invitation) await inviteToSetPassword(transaction, created.id, invitation.code)
        return created
      }
      const user = await app.durably(() => inTransaction(db, create))
      return reply.code(201).send(formatUser(user))
    },
  )

  app.post(
    '/admin/users/:id/password-reset',
    {
      config,
      schema: {
        tags: ['admin'],
        operationId: 'sendPasswordReset',
        summary: 'Mail a user a code to set a new password',
        params: Type.Object({ id: Uuid }),
        response: { 204: NoContent, 404: Problem, 501: Problem },
      },
    },
    async (request, reply) => {
      const event = describeEvent(request)
      await changeAsAdmin(request, async (transaction, { id, email }) => {
        const recipient = { recipient: email, page: 'reset', ttlSeconds, event } as const
        const { code } = await createCode(app, recipient)
        await inviteToSetPassword(transaction, id, code)
      })
      return reply.code(204).send(null)
    },
  )
}
