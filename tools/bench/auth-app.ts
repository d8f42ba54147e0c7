import { createService, loadConfig, type Service } from '@latchkey/service-kit'
import { type HasTeardown, writeKeyFile } from '@latchkey/test-kit'
import { auth } from '../../services/auth/src/app.ts'
import { settings } from '../../services/auth/src/config.ts'

/** Starts an auth service in this process, for `inject`; migrates its database. */
export async function startAuth(t: HasTeardown, databaseUrl: string): Promise<Service> {
  const config = loadConfig(settings, {
    LATCHKEY_ISSUER: 'https://sso.example.com',
    LATCHKEY_AUDIENCES: 'orders',
    LATCHKEY_KEYS_FILE: writeKeyFile(t).file,
    LATCHKEY_DATABASE_URL: databaseUrl,
    LATCHKEY_LOG_LEVEL: 'error',
    // There is no such server: the mail stays in the outbox, where its codes can be read.
    LATCHKEY_SMTP_URL: 'smtp://127.0.0.1:9',
    LATCHKEY_MAIL_FROM: 'no-reply@example.com',
    LATCHKEY_ARGON2_MEMORY_KIB: '7168',
    LATCHKEY_ARGON2_PASSES: '1',
  })
  const app = await createService(auth, config)
  t.teardown(() => app.close())
  await app.ready()
  return app
}
