import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem } from '@latchkey/service-kit'
import { describeEvent } from '../audit/describe-event.ts'
import { authenticatePassword, replaceOutdatedHash } from '../passwords/authenticate.ts'
import { Credentials, trimEmail } from '../passwords/credentials.ts'
import { invalidCredentials } from './problems.ts'
import { createSession } from './store.ts'
import { TokenReply } from './tokens.ts'

/** The metric's `result` label by the status of the answer; `busy` has a code of its own. */
const results: Record<number, string> = { 200: 'ok', 401: 'invalid', 429: 'limited' }

/**
 * Verifies a password and opens a session: at most four statements, and the same hashes for any
 * outcome.
 */
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
          // By account and network, so that users behind one address do not limit each other.
          hook: 'preHandler',
          keyGenerator: ({ network, body }) =>
            `${network} ${(body as Credentials).email.toLowerCase()}`,
        },
      },
      // Before the body is read and the request is counted.
      onRequest: async ({ network }) => passwords.refuseWhenFull(network),
      preValidation: trimEmail,
      onResponse: async (_request, { statusCode, problemCode }) => {
        const result = problemCode === 'busy' ? 'busy' : results[statusCode]
        if (result !== undefined) counters.logins.inc({ result })
      },
      schema: {
        tags: ['sessions'],
        operationId: 'login',
        summary: 'Log in with an e-mail address and a password',
        body: Credentials,
        response: { 200: TokenReply, 401: Problem },
      },
    },
    async (request, reply) => {
      const { network, headers } = request
      const { email, password } = request.body
      const event = describeEvent(request, { actor: 'user' })
      const session = await passwords.admit(network, async (hasher) => {
        const user = await authenticatePassword(db, hasher, { email, password, network, event })
        if (!user) return undefined
        const session = await app.durably(() =>
          createSession(db, {
            ...user,
            ttlSeconds: config.LATCHKEY_SESSION_TTL_SECONDS,
            network,
            userAgent: headers['user-agent'],
            event,
          }),
        )
        if (session && !passwords.isFull) {
          // Best effort: the login has already succeeded.
          await replaceOutdatedHash(db, hasher, { ...user, password }).catch((err) =>
            request.log.warn(
              { err },
              'an outdated password hash could not be replaced; the login succeeded',
            ),
          )
        }
        return session
      })
      if (!session) throw invalidCredentials()
      return app.issueTokens(session, reply)
    },
  )
}
