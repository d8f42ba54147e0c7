import type { AddressInfo } from 'node:net'
import type { Service } from '@latchkey/service-kit'
import { type HasTeardown, type KeyFile, writeKeyFile } from '@latchkey/test-kit'
import { type Answer, Browser } from '@latchkey/test-kit/plain-browser'
import { createVerifier, openKeyring, type VerifierOptions } from '@latchkey/verify'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { AuthConfig } from '../../../services/auth/src/config.ts'
import { addClient } from '../../../services/auth/test/oauth-support.ts'
import {
  createConfig,
  issuer,
  password,
  register,
  startInstance,
} from '../../../services/auth/test/support.ts'
import { type WebOptions, web } from '../src/index.ts'

export { issuer }
export const origin = 'https://orders.example.com'
export const sessionCookie = '__Host-orders-session'

/** Auth and an app that people sign in to, over real connections. */
export interface Site {
  readonly config: AuthConfig
  readonly keyFile: KeyFile
  /** The instances of auth, and their addresses. */
  readonly auth: Service[]
  readonly authUrls: string[]
  readonly apps: FastifyInstance[]
  readonly appUrls: string[]
  /** The address of a registered user. */
  readonly email: string
}

export interface SiteOptions {
  /** Number of instances of each. App number n reaches auth number n. */
  instances?: number
  config?: Partial<AuthConfig>
  verifier?: Partial<VerifierOptions>
  web?: Partial<WebOptions>
}

/** Starts instances of auth and of the app, and registers a user. */
export async function startSite(t: Test, options: SiteOptions = {}): Promise<Site> {
  const keyFile = writeKeyFile(t)
  const overrides = { LATCHKEY_KEYS_FILE: keyFile.file, ...options.config }
  const config = await createConfig(t, overrides)
  const site: Site = { config, keyFile, auth: [], authUrls: [], apps: [], appUrls: [], email: '' }
  for (let n = 0; n < (options.instances ?? 1); n += 1) {
    const auth = await startInstance(t, { ...config, LATCHKEY_INSTANCE: `auth-${n}` })
    site.auth.push(auth)
    site.authUrls.push(await listen(auth))
    const file = keyFile.exportFor('orders')
    const app = await startApp(t, file, { ...options, authUrl: site.authUrls[n] ?? '' })
    site.apps.push(app)
    site.appUrls.push(await listen(app))
  }
  const [auth] = site.auth as [Service]
  const redirect_uris = [`${origin}/auth/callback`]
  await addClient(auth, 'orders', { redirect_uris, audiences: ['orders'] })
  return { ...site, email: await register(auth) }
}

/** An app with a few routes. It does not listen yet. */
export async function startApp(
  t: HasTeardown,
  file: string,
  { authUrl, verifier, web: overrides }: SiteOptions & { authUrl: string },
): Promise<FastifyInstance> {
  const keys = openKeyring(file)
  const app = Fastify()
  t.teardown(async () => {
    keys.close()
    await app.close()
  })
  await app.register(web, {
    issuer,
    authUrl,
    clientId: 'orders',
    baseUrl: origin,
    keys,
    verifier: createVerifier({ keys, issuer, audience: 'orders', ...verifier }),
    ...overrides,
  })
  app.get('/', async (request) => ({ sub: request.user.sub, sid: request.user.sid }))
  app.get('/deep/page', async (request) => request.url)
  app.get('/admin', { config: { scopes: ['admin:all'] } }, async () => 'admin')
  app.get('/cached', async (_request, reply) => reply.header('cache-control', 'public').send('x'))
  app.get('/public', { config: { public: true } }, async (request) => {
    const user = await request.jwtVerify<{ sub: string }>().catch(() => undefined)
    return `hello ${user?.sub ?? 'stranger'}`
  })
  app.get('/broken', async () => {
    throw new Error('broken')
  })
  app.get('/raw', (_request, reply) => {
    reply.hijack()
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream' }).end('data: x')
  })
  app.post('/orders', async (request) => request.user.sub)
  app.post('/hook', { config: { public: true } }, async () => 'hook')
  return app
}

/** @returns the address */
export async function listen(app: Service | FastifyInstance): Promise<string> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
}

/** A browser that finds auth and the app. */
export const createBrowser = ({ authUrls, appUrls }: Pick<Site, 'authUrls' | 'appUrls'>): Browser =>
  new Browser({ [issuer]: authUrls, [origin]: appUrls })

/** Opens a page of the app, logs in on the way if needed, and returns where the browser arrives. */
export async function signIn(browser: Browser, email: string, path = '/'): Promise<Answer> {
  const page = await browser.visit(origin + path)
  if (page.url.origin !== issuer) return page
  return browser.follow(await submitLogin(browser, page, email))
}

/** Sends the form of the login page. */
export function submitLogin(browser: Browser, page: Answer, email: string): Promise<Answer> {
  const request = page.url.searchParams.get('request') ?? ''
  return browser.submit(`${issuer}/login`, { email, password, request })
}

export const subOf = ({ text }: Answer): string => JSON.parse(text).sub

export const locationOf = ({ headers, text }: Answer): URL => {
  const location = headers.get('location')
  if (location === null) throw new Error(`not a redirect: ${text}`)
  return new URL(location)
}
