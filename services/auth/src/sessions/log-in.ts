import type { FastifyInstance, FastifyRequest, RouteShorthandOptions } from 'fastify'
import { describeEvent } from '../audit/describe-event.ts'
import { authenticatePassword, replaceOutdatedHash } from '../passwords/authenticate.ts'
import { type Credentials, trimEmail } from '../passwords/credentials.ts'
import { createSession, type Session } from './store.ts'

/** The metric's `result` label by the status of the answer; `busy` has a code of its own. */
const results: Record<number, string> = { 200: 'ok', 303: 'ok', 401: 'invalid', 429: 'limited' }

/** What every route that logs in with a password has: its limits and its metric. */
export const passwordLogin = ({ config, counters, passwords }: FastifyInstance) =>
  ({
    config: {
      public: true,
      rateLimit: {
        max: config.LATCHKEY_LOGIN_LIMIT,
        timeWindow: 60_000,
        // The page and the JSON route have one limit.
        groupId: 'login',
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
  }) satisfies RouteShorthandOptions

/**
 * Verifies a password and opens a session: at most four statements, and the same hashes for any
 * outcome.
 *
 * @returns `undefined` for an unknown user, a wrong password and a disabled user
 * @throws ProblemError 429 `too_many_failures`, 503 `busy`
 */
export function logIn(
  request: FastifyRequest,
  { email, password }: Credentials,
): Promise<Session | undefined> {
  const { network, headers, log, server: app } = request
  const { config, db, passwords } = app
  const event = describeEvent(request, { actor: 'user' })
  return passwords.admit(network, async (hasher) => {
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
        log.warn({ err }, 'an outdated password hash could not be replaced; the login succeeded'),
      )
    }
    return session
  })
}
