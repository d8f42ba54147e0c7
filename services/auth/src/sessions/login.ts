import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem, ProblemError } from '@latchkey/service-kit'
import { networkOf } from '../abuse/network.ts'
import { Credentials } from '../accounts/schemas.ts'
import { authenticatePassword } from '../passwords/authenticate.ts'
import { rememberSeconds } from '../revocation/memory.ts'
import { replyWithTokens, TokenReply } from '../tokens/token-reply.ts'
import { create, rehash } from './store.ts'

/** What an answer's status says of a login, for the metric. */
const results: Record<number, string> = { 200: 'ok', 401: 'invalid', 429: 'limited', 503: 'busy' }

/** Checks a password and opens a session: at most three statements, and one hash whoever asks. */
export const loginRoute: FastifyPluginAsyncTypebox = async (app) => {
  const { config, counters, db, passwords } = app

  app.post(
    '/login',
    {
      config: {
        public: true,
        rateLimit: {
          max: config.LATCHKEY_LOGIN_LIMIT,
          timeWindow: 60_000,
          // By account and network: nobody behind the same address is limited by others.
          hook: 'preHandler',
          keyGenerator: (request) =>
            `${networkOf(request)} ${(request.body as Credentials).email.toLowerCase()}`,
        },
      },
      onRequest: async () => {
        const refusal = passwords.refusal()
        if (refusal) throw refusal
      },
      onResponse: async (_request, { statusCode }) => {
        const result = results[statusCode]
        if (result !== undefined) counters.logins.inc({ result })
      },
      schema: {
        tags: ['sessions'],
        summary: 'Log in with e-mail address and password',
        body: Credentials,
        response: { 200: TokenReply, 400: Problem, 401: Problem, 429: Problem, 503: Problem },
      },
    },
    async (request, reply) => {
      const { email, password } = request.body
      const network = networkOf(request)
      const session = await passwords.admit(async () => {
        const known = await authenticatePassword(app, email, password, network)
        if (!known) return undefined
        const { passwordHash, ...user } = known
        const session = await create(db, {
          ...user,
          ttlSeconds: config.LATCHKEY_SESSION_TTL_SECONDS,
          network,
          userAgent: request.headers['user-agent']?.slice(0, 200) ?? null,
          rememberSeconds,
        })
        if (session && passwords.isOutdated(passwordHash)) await replaceHash(user, password)
        return session
      })
      if (!session) throw invalidCredentials()
      return replyWithTokens(app, reply, session)
    },
  )

  /** Best effort: a login that has succeeded does not fail for it, and others come first. */
  async function replaceHash(user: { userId: string; passwordVersion: number }, password: string) {
    if (passwords.full) return
    try {
      await rehash(db, user.userId, user.passwordVersion, await passwords.hashAdmitted(password))
    } catch (err) {
      app.log.warn({ err }, 'an outdated password hash was not replaced')
    }
  }
}

/** One answer for an unknown user, a wrong password and a disabled user. */
const invalidCredentials = () =>
  new ProblemError(401, 'invalid_credentials', 'The e-mail address or the password is wrong.', {
    'www-authenticate': 'Bearer',
  })
