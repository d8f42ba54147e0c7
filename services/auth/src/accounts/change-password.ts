import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction, Problem, ProblemError, type Transaction } from '@latchkey/service-kit'
import type { FastifyInstance, FastifyRequest, RouteShorthandOptions } from 'fastify'
import { type Static, Type } from 'typebox'
import { describeEvent } from '../audit/describe-event.ts'
import { callerOf } from '../caller.ts'
import { perUser } from '../limits/per-user.ts'
import { authenticatePassword } from '../passwords/authenticate.ts'
import { CurrentPassword, NewPassword, normalizeNewPassword } from '../passwords/credentials.ts'
import { requireOpenSession } from '../sessions/open-session.ts'
import { createSession, type Session } from '../sessions/store.ts'
import { TokenReply } from '../sessions/tokens.ts'
import { forgetCodes } from './codes-store.ts'
import { getOwnUser } from './own-user.ts'
import { wrongPassword } from './problems.ts'
import { changePassword, type User } from './store.ts'

const PasswordChange = Type.Object(
  { current_password: CurrentPassword, new_password: NewPassword },
  { additionalProperties: false },
)
type PasswordChange = Static<typeof PasswordChange>

/** The limits of every route that changes a password. The rules are checked before any hash. */
export const passwordChange = ({ passwords }: FastifyInstance) =>
  ({
    // Whatever the answer.
    config: { rateLimit: perUser(60, 'changePassword') },
    // Before the request is counted.
    onRequest: async ({ network }) => passwords.refuseWhenFull(network),
  }) satisfies RouteShorthandOptions

/** Changes the password of the token's user. */
export const changePasswordRoute: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/me/password',
    {
      ...passwordChange(app),
      preValidation: normalizeNewPassword('new_password'),
      preHandler: requireOpenSession,
      schema: {
        tags: ['accounts'],
        operationId: 'changePassword',
        summary: 'Change your password: ends all your sessions and opens a new one',
        body: PasswordChange,
        response: { 200: TokenReply, 403: Problem, 409: Problem, 429: Problem },
      },
    },
    async (request, reply) =>
      app.issueTokens(await changeOwnPassword(request, request.body), reply),
  )
}

/**
 * Changes the password of the caller, and ends all sessions.
 *
 * @returns a new session
 * @throws ProblemError 401 `token_revoked`, 403 `invalid_credentials`, 409 `password_changed`, 429
 *   `too_many_failures`, 503 `busy`, and those of new passwords
 */
export async function changeOwnPassword(
  request: FastifyRequest,
  body: PasswordChange,
): Promise<Session> {
  const { server: app } = request
  const { sessionId } = callerOf(request)
  const user = await getOwnUser(request)
  // First: a refused password costs no hash, and its refusal reveals nothing of the current one.
  await app.passwordRules.assertAcceptable(body.new_password, user)
  const hashes = await verifyAndHash(request, user, body)
  const session = await app.revoking(
    () =>
      inTransaction(app.db, (transaction) => replacePassword(transaction, request, user, hashes)),
    (opened) => (opened && sessionId ? [sessionId] : []),
  )
  if (!session) throw passwordChanged()
  return session
}

/** Verifies the current password and hashes the new one, as one piece of work. */
function verifyAndHash(
  request: FastifyRequest,
  { email }: User,
  { current_password: password, new_password }: PasswordChange,
): Promise<{ passwordHash: string; oldVersion: number }> {
  const { network, server } = request
  return server.passwords.admit(network, async (hasher) => {
    const guess = { email, password, network, event: describeEvent(request) }
    const known = await authenticatePassword(server.db, hasher, guess)
    if (!known) throw wrongPassword()
    return { passwordHash: await hasher.hash(new_password), oldVersion: known.passwordVersion }
  })
}

async function replacePassword(
  transaction: Transaction,
  request: FastifyRequest,
  { id: userId, email }: User,
  hashes: { passwordHash: string; oldVersion: number },
): Promise<Session | undefined> {
  const { headers, network, server: app } = request
  const event = describeEvent(request)
  const passwordVersion = await changePassword(transaction, { userId, ...hashes, event })
  if (passwordVersion === undefined) return undefined
  await forgetCodes(transaction, userId)
  await app.mail.notify(transaction, 'password-changed', email)
  return createSession(transaction, {
    userId,
    passwordVersion,
    ttlSeconds: app.config.LATCHKEY_SESSION_TTL_SECONDS,
    network,
    userAgent: headers['user-agent'],
    event: { ...event, action: 'login' },
  })
}

const passwordChanged = () =>
  new ProblemError(
    409,
    'password_changed',
    'Another request changed the password or disabled the user meanwhile.',
  )
