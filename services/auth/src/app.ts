import { countVerifications, type Service, type ServiceDefinition } from '@latchkey/service-kit'
import { authAudience, createVerifier } from '@latchkey/verify'
import { latchkey } from '@latchkey/verify/fastify'
import { changePasswordRoute } from './accounts/change-password.ts'
import { profileRoute } from './accounts/profile.ts'
import { registerRoute } from './accounts/register.ts'
import { adminUsersRoutes } from './admin/users.ts'
import { type AuthConfig, settings } from './config.ts'
import { housekeeping } from './housekeeping.ts'
import { jwksRoute } from './keys/jwks.ts'
import { rateLimit } from './limits/rate-limit.ts'
import { authMetrics } from './metrics.ts'
import { openapi } from './openapi.ts'
import { createPasswordBulkhead, type PasswordBulkhead } from './passwords/hasher.ts'
import { feedRoute } from './revocation/feed.ts'
import { recovery } from './revocation/recovery.ts'
import { sessionsRoutes } from './sessions/list.ts'
import { loginRoute } from './sessions/login.ts'
import { logoutRoute } from './sessions/logout.ts'
import { refreshRoute } from './sessions/refresh.ts'
import { sessionTokens } from './sessions/tokens.ts'
import { createAssertionVerifier } from './verifiers/client-assertions.ts'
import { heartbeat } from './verifiers/heartbeat.ts'
import { keysStatusRoute } from './verifiers/status.ts'

declare module 'fastify' {
  interface FastifyInstance {
    config: AuthConfig
    passwords: PasswordBulkhead
  }
}

/** The auth service. Every route requires a token unless it is marked public. */
export const auth: ServiceDefinition<typeof settings> = {
  name: 'auth',
  settings,
  migrations: new URL('../migrations/', import.meta.url),
  hasPipeline: true,
  setUp,
}

async function setUp(app: Service, config: AuthConfig): Promise<void> {
  const issuer = config.LATCHKEY_ISSUER
  app.decorate('config', config)
  // No revocation feed: auth's own routes look the session up in the database.
  const verifier = createVerifier({ keys: app.keyring, issuer, audience: authAudience })
  await app.register(latchkey, {
    verifier: countVerifications(verifier, app.metrics),
    // Its routes are public knowledge, so a stranger may learn that a route does not exist.
    publicNotFound: true,
  })
  await app.register(openapi)
  await app.register(sessionTokens, {
    issuer,
    audience: [...config.LATCHKEY_AUDIENCES.split(' '), authAudience],
    ttlSeconds: config.LATCHKEY_ACCESS_TOKEN_TTL_SECONDS,
  })
  await app.register(rateLimit)
  await app.register(authMetrics)
  await app.register(heartbeat)
  await app.register(recovery)
  await app.register(housekeeping)

  app.decorate(
    'passwords',
    await createPasswordBulkhead(
      {
        memoryKib: config.LATCHKEY_ARGON2_MEMORY_KIB,
        passes: config.LATCHKEY_ARGON2_PASSES,
      },
      app.log,
    ),
  )

  await app.register(jwksRoute)
  await app.register(
    async (v1) => {
      v1.register(registerRoute)
      v1.register(profileRoute)
      v1.register(changePasswordRoute)
      v1.register(loginRoute)
      v1.register(refreshRoute)
      v1.register(logoutRoute)
      v1.register(sessionsRoutes)
      v1.register(adminUsersRoutes)
      v1.register(async (clients) => {
        await clients.register(latchkey, {
          verifier: createAssertionVerifier(app.keyring, issuer),
        })
        clients.register(feedRoute)
        clients.register(keysStatusRoute)
      })
    },
    { prefix: '/v1' },
  )
}
