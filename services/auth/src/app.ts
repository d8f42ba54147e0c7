import {
  ConfigError,
  countVerifications,
  type Service,
  type ServiceDefinition,
} from '@latchkey/service-kit'
import { authAudience, createVerifier } from '@latchkey/verify'
import { latchkey } from '@latchkey/verify/fastify'
import { changeEmailRoutes } from './accounts/change-email.ts'
import { changePasswordRoute } from './accounts/change-password.ts'
import { confirmRegistrationRoute } from './accounts/confirm-registration.ts'
import { ownDataRoutes } from './accounts/own-data.ts'
import { profileRoutes } from './accounts/profile.ts'
import { registerRoute } from './accounts/register.ts'
import { resetPasswordRoutes } from './accounts/reset-password.ts'
import { undoEmailChangeRoute } from './accounts/undo-email-change.ts'
import { clientsRoutes } from './admin/clients.ts'
import { createUserRoutes } from './admin/create-user.ts'
import { requireAdmin } from './admin/require-admin.ts'
import { adminUsersRoutes } from './admin/users.ts'
import { eventsRoute } from './audit/events.ts'
import { recordRead, recordRefusal } from './audit/record-read.ts'
import { type AuthConfig, settings } from './config.ts'
import { housekeeping } from './housekeeping.ts'
import { jwksRoute } from './keys/jwks.ts'
import { rateLimit } from './limits/rate-limit.ts'
import { mailer } from './mail/mailer.ts'
import { mailSender } from './mail/sender.ts'
import { authMetrics } from './metrics.ts'
import { authorizeRoute } from './oauth/authorize.ts'
import { loginPage } from './oauth/login.ts'
import { logoutPage } from './oauth/logout.ts'
import { metadataRoutes } from './oauth/metadata.ts'
import { oauth } from './oauth/oauth.ts'
import { userinfoRoute } from './oauth/userinfo.ts'
import { openapi } from './openapi.ts'
import { accountPages } from './pages/account.ts'
import { accountForms } from './pages/account-forms.ts'
import { pages } from './pages/pages.ts'
import { registerPages } from './pages/register.ts'
import { resetPages } from './pages/reset.ts'
import { sessionForms } from './pages/sessions.ts'
import { createPasswordBulkhead, type PasswordBulkhead } from './passwords/hasher.ts'
import { passwordRules } from './passwords/rules.ts'
import { feedRoute } from './revocation/feed.ts'
import { recovery } from './revocation/recovery.ts'
import { browserSessions } from './sessions/browser-session.ts'
import { sessionsRoutes } from './sessions/list.ts'
import { loginRoute } from './sessions/login.ts'
import { logoutRoute } from './sessions/logout.ts'
import { requireBrowserSession } from './sessions/open-session.ts'
import { refreshRoute } from './sessions/refresh.ts'
import { sessionTokens } from './sessions/tokens.ts'
import { acceptOperator, createAssertionVerifier } from './verifiers/client-assertions.ts'
import { heartbeat } from './verifiers/heartbeat.ts'
import { keysStatusRoute } from './verifiers/status.ts'

declare module 'fastify' {
  interface FastifyInstance {
    config: AuthConfig
    passwords: PasswordBulkhead
    /** Who may create an account. */
    registration: 'verified' | 'open' | 'closed'
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

/**
 * @throws ConfigError when it is to be verified without mail
 */
function registrationOf(config: AuthConfig): Service['registration'] {
  const { LATCHKEY_SMTP_URL: smtp, LATCHKEY_MAIL_FROM: sender } = config
  const { LATCHKEY_REGISTRATION: registration = smtp === undefined ? 'open' : 'verified' } = config
  if (smtp !== undefined && sender === undefined) {
    throw new ConfigError('LATCHKEY_MAIL_FROM is not set; LATCHKEY_SMTP_URL requires it')
  }
  if (registration === 'verified' && smtp === undefined) {
    throw new ConfigError('LATCHKEY_REGISTRATION=verified requires LATCHKEY_SMTP_URL')
  }
  return registration
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
  await app.register(mailer)
  await app.register(mailSender)
  await app.register(passwordRules)
  app.decorate('registration', registrationOf(config))

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

  const assertions = createAssertionVerifier(app.keyring, issuer)
  await app.register(jwksRoute)
  await app.register(metadataRoutes, { issuer })
  await app.register(async (site) => {
    await site.register(pages)
    await site.register(browserSessions, {
      issuer,
      ttlSeconds: config.LATCHKEY_SESSION_TTL_SECONDS,
    })
    site.register(authorizeRoute)
    site.register(loginPage)
    site.register(logoutPage)
    site.register(registerPages)
    site.register(resetPages)
    site.register(accountPages)
    site.register(async (own) => {
      own.addHook('onRequest', requireBrowserSession)
      own.register(accountForms)
      own.register(sessionForms)
    })
  })
  const accessTokens = createVerifier({ keys: app.keyring, issuer, audience: false })
  await app.register(oauth, { assertions, accessTokens, prefix: '/oauth' })
  await app.register(userinfoRoute, { accessTokens, prefix: '/oauth' })
  await app.register(
    async (v1) => {
      v1.register(registerRoute)
      v1.register(confirmRegistrationRoute)
      v1.register(resetPasswordRoutes)
      v1.register(profileRoutes)
      v1.register(ownDataRoutes)
      v1.register(changeEmailRoutes)
      v1.register(undoEmailChangeRoute)
      v1.register(changePasswordRoute)
      v1.register(loginRoute)
      v1.register(refreshRoute)
      v1.register(logoutRoute)
      v1.register(sessionsRoutes)
      v1.register(async (admin) => {
        await admin.register(latchkey, { verifier: acceptOperator(verifier, assertions) })
        admin.addHook('preHandler', requireAdmin)
        admin.addHook('preHandler', recordRead)
        admin.addHook('onError', recordRefusal)
        admin.register(adminUsersRoutes)
        admin.register(createUserRoutes)
        admin.register(clientsRoutes)
        admin.register(eventsRoute)
      })
      v1.register(async (clients) => {
        await clients.register(latchkey, { verifier: assertions })
        clients.register(feedRoute)
        clients.register(keysStatusRoute)
      })
    },
    { prefix: '/v1' },
  )
}
