import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createService, type Service } from '@latchkey/service-kit'
import { createDatabase, type HasTeardown, writeKeyFile } from '@latchkey/test-kit'
import { type HmacKey, type ServiceKey, signClientAssertion } from '@latchkey/verify'
import type { LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import { auth } from '../src/app.ts'
import type { AuthConfig } from '../src/config.ts'
import { deriveServiceSecret } from '../src/keys/jwk.ts'

export const issuer = 'https://sso.example.com'
export const password = 'correct horse battery'

/** The configuration of a test's auth service: cheap hashes, its own database, its own keys. */
export async function createConfig(t: HasTeardown, overrides: Partial<AuthConfig> = {}) {
  const config: AuthConfig = {
    LATCHKEY_HOST: '127.0.0.1',
    LATCHKEY_PORT: 0,
    LATCHKEY_INSTANCE: 'auth-1',
    LATCHKEY_LOG_LEVEL: 'error',
    LATCHKEY_DRAIN_SECONDS: 0,
    LATCHKEY_ISSUER: issuer,
    LATCHKEY_KEYS_FILE: writeKeyFile(t).file,
    LATCHKEY_DATABASE_URL: await createDatabase(t),
    LATCHKEY_DATABASE_POOL_MAX: 10,
    LATCHKEY_AUDIENCES: 'orders billing',
    LATCHKEY_DEFAULT_SCOPE: 'orders:read orders:write',
    LATCHKEY_ACCESS_TOKEN_TTL_SECONDS: 900,
    LATCHKEY_SESSION_TTL_SECONDS: 86_400,
    LATCHKEY_REFRESH_GRACE_SECONDS: 30,
    LATCHKEY_ARGON2_MEMORY_KIB: 7_168,
    LATCHKEY_ARGON2_PASSES: 1,
    LATCHKEY_PRODUCT_NAME: 'Latchkey',
    LATCHKEY_ACCENT_COLOR: '#1a56c4',
    LATCHKEY_PASSWORD_MIN_LENGTH: 8,
    LATCHKEY_AUDIT_RETENTION_DAYS: 365,
    LATCHKEY_REGISTER_LIMIT: 1_000,
    LATCHKEY_LOGIN_LIMIT: 1_000,
    ...overrides,
  }
  return config
}

/** A running auth service, closed at the end of the test. */
export async function startAuth(t: Test, overrides: Partial<AuthConfig> = {}): Promise<Service> {
  return startInstance(t, await createConfig(t, overrides))
}

/** Another instance with the same configuration. */
export async function startInstance(t: HasTeardown, config: AuthConfig): Promise<Service> {
  const app = await createService(auth, config)
  t.teardown(() => app.close())
  await app.ready()
  return app
}

/** The service as a separate process, with its log so far; stopped at the end of the test. */
export async function startProcess(t: HasTeardown, overrides: Partial<AuthConfig> = {}) {
  const config = await createConfig(t, overrides)
  const main = new URL('../src/main.ts', import.meta.url).pathname
  const env = Object.fromEntries(
    Object.entries(config).map(([name, value]) => [name, String(value)]),
  )
  const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let log = ''
  const url = await new Promise<string>((resolve) => {
    child.stdout.on('data', (chunk) => {
      log += chunk
      const address = /listening at (http:[^"]+)/.exec(log)?.[1]
      if (address !== undefined) resolve(address)
    })
  })
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'exit')
  })
  return { child, config, log: () => log, url }
}

export interface Tokens {
  access_token: string
  refresh_token: string
  expires_in: number
}

export const post = (
  app: Service,
  url: string,
  payload?: object,
): Promise<LightMyRequestResponse> =>
  app.inject({ method: 'POST', url, ...(payload && { payload }) })

export const refresh = (app: Service, refresh_token: string) =>
  post(app, '/v1/refresh', { refresh_token })

/** Sends a request with an access token. */
export const as = (
  app: Service,
  token: string,
  method: 'GET' | 'DELETE' | 'POST' | 'PUT' | 'PATCH',
  url: string,
  payload?: object,
) =>
  app.inject({
    method,
    url,
    headers: { authorization: `Bearer ${token}` },
    ...(payload && { payload }),
  })

/** The secret that access tokens are signed with. */
export function signingSecretOf({ keyring }: Service): HmacKey {
  const { signing } = keyring.current
  if (signing.alg !== 'HS256') throw new Error('the signing key is not a secret')
  return signing
}

/** The key of a service, or of the operator. */
export function deriveKey(app: Service, service: string): ServiceKey {
  const [root] = app.keyring.current.roots
  if (root === undefined) throw new Error('the keyring has no root key')
  const secret = deriveServiceSecret(root.secret, service)
  return { kid: `${root.kid}/${service}`, alg: 'HS256', service, secret }
}

/** A client assertion of a service, or of the operator. */
export const assertAs = (app: Service, service: string): Promise<string> =>
  signClientAssertion(deriveKey(app, service), app.config.LATCHKEY_ISSUER)

/** Polls the feed as a service, or asks for the status of the keys as the operator. */
export async function poll(app: Service, path: string, headers: Record<string, string> = {}) {
  const assertion = await assertAs(app, path.startsWith('keys/') ? 'operator' : 'orders')
  return app.inject({
    url: `/v1/${path}`,
    headers: { authorization: `Bearer ${assertion}`, ...headers },
  })
}

let users = 0

/** Registers a user with a new e-mail address. */
export async function register(app: Service): Promise<string> {
  users += 1
  const email = `user-${users}@example.com`
  const reply = await post(app, '/v1/register', { email, password })
  if (reply.statusCode !== 201) throw new Error(reply.body)
  return email
}

export async function login(app: Service, email: string): Promise<Tokens> {
  const reply = await post(app, '/v1/login', { email, password })
  if (reply.statusCode !== 200) throw new Error(reply.body)
  return reply.json<Tokens>()
}

/** The app's shared hasher, for tests that intercept it. */
export const hasherOf = (app: Service) => app.passwords.admit('::', async (hasher) => hasher)

/** Passes the name of each statement of an app to `handle`, with a function that runs it. */
export function interceptStatements(
  t: Test,
  app: Service,
  handle: (name: string, run: () => Promise<unknown>) => unknown,
): void {
  for (const db of [app.db, app.pipeline]) {
    const query = db.query.bind(db)
    t.intercept(db, 'query', {
      value: (...args: Parameters<typeof query>) =>
        handle((args[0] as { name?: string }).name ?? '', async () => query(...args)),
    })
  }
}

/** Counts the statements that requests run. Heartbeat and recovery run theirs, at any time. */
export function countStatements(t: Test, app: Service): { count: number } {
  const statements = { count: 0 }
  interceptStatements(t, app, (name, run) => {
    if (!/^((verifier|signing_key)_report|revocation_list)$/.test(name)) statements.count += 1
    return run()
  })
  return statements
}

/** The claims of a token, not verified. */
export const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
