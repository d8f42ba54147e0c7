import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Problem, ProblemError } from '@latchkey/service-kit'
import { networkOf } from '../abuse/network.ts'
import { admitLogin } from '../abuse/store.ts'
import { Credentials } from '../accounts/schemas.ts'
import { rememberSeconds } from '../revocation/memory.ts'
import { replyWithTokens, TokenReply } from '../tokens/token-reply.ts'
import { create, rehash } from './store.ts'

/** What an answer's status says of a login, for the metric. */
const results: Record<number, string> = { 200: 'ok', 401: 'invalid', 429: 'limited', 503: 'busy' }

/** Checks a password and opens a session: at most three statements, and one hash whoever asks. */
export const loginRoute: FastifyPluginAsyncTypebox = async (app) => {
  const { config, counters, db, passwords } = app

  app.refuseAtGate(({ method, url }) => {
    if (method !== 'POST' || url !== '/v1/login') return undefined
    const refusal = passwords.refusal()
    if (refusal) counters.logins.inc({ result: 'busy' })
    return refusal
  })

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
        const attempt = await admitLogin(db, email, network)
        if (attempt.retryAfterSeconds !== null) throw tooManyFailures(attempt.retryAfterSeconds)

        const { passwordHash, passwordVersion, userId } = attempt
        const matches = await passwords.verify(passwordHash ?? undefined, password)
        if (!matches || !userId || !passwordHash || passwordVersion === null || attempt.disabled) {
          throw invalidCredentials()
        }
        const session = await create(db, {
          userId,
          passwordVersion,
          ttlSeconds: config.LATCHKEY_SESSION_TTL_SECONDS,
          network,
          userAgent: request.headers['user-agent']?.slice(0, 200) ?? null,
          failureKeys: attempt.failureKeys,
          rememberSeconds,
        })
        if (session && passwords.isOutdated(passwordHash)) {
          await rehash(db, userId, passwordVersion, await passwords.rehash(password))
        }
        return session
      })
      if (!session) throw invalidCredentials()
      return replyWithTokens(app, reply, session)
    },
  )
}

/** One answer for an unknown user, a wrong password and a disabled user. */
export const invalidCredentials = () =>
  new ProblemError(401, 'invalid_credentials', 'The e-mail address or the password is wrong.', {
    'www-authenticate': 'Bearer',
  })

/** The answer to whoever has guessed too often. */
export const tooManyFailures = (seconds: number) =>
  new ProblemError(
    429,
    'too_many_failures',
    'Too many wrong passwords. Wait as long as Retry-After says.',
    { 'retry-after': String(seconds) },
  )
