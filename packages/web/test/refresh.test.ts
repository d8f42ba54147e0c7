import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Browser, waitUntil } from '@latchkey/test-kit/plain-browser'
import { openKeyring } from '@latchkey/verify'
import { decodeJwt, SignJWT } from 'jose'
import t, { type Test } from 'tap'
import { startInstance } from '../../../services/auth/test/support.ts'
import { open, seal } from '../src/seal.ts'
import {
  createBrowser,
  listen,
  locationOf,
  origin,
  type Site,
  sessionCookie,
  signIn,
  startApp,
  startSite,
} from './support.ts'

/** Tokens of this lifetime are replaced at every request. */
const shortLived = { LATCHKEY_ACCESS_TOKEN_TTL_SECONDS: 29 }

/** More with `LATCHKEY_WEB_ROUNDS=100`. */
const rounds = Number(process.env.LATCHKEY_WEB_ROUNDS ?? 20)

/** What opens and seals the cookies of the app. */
function openCookies(t: Test, { keyFile }: Site) {
  const keys = openKeyring(keyFile.exportFor('orders'))
  t.teardown(() => keys.close())
  return { keys, clientId: 'orders' } as unknown as Parameters<typeof open>[0]
}

/** Replaces the access token in the session cookie of a browser by one that has expired. */
async function expire(browser: Browser, settings: Parameters<typeof open>[0]): Promise<void> {
  const jar = browser.jar(origin)
  const content = await open(settings, 'session', jar.get(sessionCookie) ?? '')
  const { signing } = settings.keys.current
  if (signing.alg !== 'HS256') throw new Error('the signing key is not a secret')
  const claims = decodeJwt(String(content?.at))
  const times = { iat: Number(claims.iat) - 1_000, exp: Number(claims.iat) - 100 }
  const at = await new SignJWT({ ...claims, ...times })
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: signing.kid })
    .sign(signing.secret)
  jar.set(sessionCookie, await seal(settings, 'session', { at, rt: content?.rt }))
}

t.test('50 parallel requests with an expired token never sign anybody out', async (t) => {
  const site = await startSite(t, { instances: 3 })
  const browser = createBrowser(site)
  await signIn(browser, site.email)
  const settings = openCookies(t, site)
  for (let round = 0; round < rounds; round += 1) {
    await expire(browser, settings)
    const answers = await Promise.all(Array.from({ length: 50 }, () => browser.fetch(`${origin}/`)))
    const written = await Promise.all(
      answers.map(async ({ headers }) => {
        const [, value = ''] = /^[^=]+=([^;]*)/.exec(headers.getSetCookie().join()) ?? []
        return String((await open(settings, 'session', value))?.rt)
      }),
    )
    const statuses = new Set(answers.map(({ status }) => status))
    t.strictSame([...statuses], [200], `round ${round}`)
    t.equal(new Set(written).size, 1, 'all write the same successor')
    t.match(written[0], /^lkr_/)
  }
})

t.test('any instance of auth and of the app continues a session', async (t) => {
  const site = await startSite(t, { instances: 2, config: shortLived })
  const browser = createBrowser(site)
  await signIn(browser, site.email)
  for (let n = 0; n < 6; n += 1) {
    const before = browser.jar(origin).get(sessionCookie)
    const page = await browser.fetch(`${origin}/cached`)
    t.equal(page.status, 200)
    t.not(browser.jar(origin).get(sessionCookie), before)
    t.equal(page.headers.get('cache-control'), 'no-store', 'no cache keeps a session cookie')
  }
})

t.test('every kind of answer carries the new cookie, once', async (t) => {
  const site = await startSite(t, { config: shortLived })
  const browser = createBrowser(site)
  await signIn(browser, site.email)
  for (const [path, status] of Object.entries({ '': 200, broken: 500, none: 404, raw: 200 })) {
    const answer = await browser.fetch(`${origin}/${path}`)
    t.equal(answer.status, status, path)
    t.equal(answer.headers.getSetCookie().length, 1, path)
  }
  const upgrade = { upgrade: 'websocket', connection: 'upgrade' }
  const handshake = await browser.fetch(`${origin}/`, { headers: upgrade })
  t.match(handshake, { status: 200 })
  t.strictSame(handshake.headers.getSetCookie(), [], 'a handshake could not carry it')
})

t.test('a session that has ended at auth is cleared', async (t) => {
  const site = await startSite(t, { config: shortLived })
  for (const kind of ['open', 'fetch'] as const) {
    const browser = createBrowser(site)
    await signIn(browser, site.email)
    await site.auth[0]?.db.query('UPDATE sessions SET revoked_at = now()')
    const reply = await browser[kind](`${origin}/deep/page`)
    t.equal(reply.status, kind === 'open' ? 302 : 401)
    if (kind === 'open') t.match(locationOf(reply).search, '?returnTo=%2Fdeep%2Fpage')
    t.notOk(browser.jar(origin).has(sessionCookie))
    t.equal((await browser.fetch(`${origin}/public`)).text, 'hello stranger')
  }
})

t.test('while auth is unavailable, a valid token works and an expired one waits', async (t) => {
  const config = { LATCHKEY_ACCESS_TOKEN_TTL_SECONDS: 10 }
  const site = await startSite(t, { config, verifier: { clockToleranceSeconds: 0 } })
  const browser = createBrowser(site)
  await signIn(browser, site.email)
  const [auth] = site.auth
  await auth?.close()
  const cookie = browser.jar(origin).get(sessionCookie)
  t.equal((await browser.fetch(`${origin}/`)).status, 200)
  await waitUntil(async () => (await browser.fetch(`${origin}/`)).status === 503)

  const reply = await browser.fetch(`${origin}/`)
  t.equal(reply.status, 503)
  t.match(JSON.parse(reply.text), { code: 'auth_unavailable', status: 503 })
  t.match(Number(reply.headers.get('retry-after')), 5)
  const page = await browser.open(`${origin}/deep/page`)
  t.match(page, { status: 503, text: `<a href="${origin}/deep/page">` })
  t.match(page.headers.get('content-security-policy'), "default-src 'none'")
  t.equal((await browser.fetch(`${origin}/public`)).text, 'hello stranger')
  t.equal(browser.jar(origin).get(sessionCookie), cookie, 'nothing is cleared')

  const again = await startInstance(t, site.config)
  await again.listen({ host: '127.0.0.1', port: Number(new URL(site.authUrls[0] ?? '').port) })
  t.equal((await browser.fetch(`${origin}/`)).status, 200)
})

/** Answers that tell nothing about the refresh token. */
const json = (status: number, body: object, headers = {}): RequestListener => {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(body))
  }
}
const tokens = { access_token: 'x', token_type: 'Bearer' }
const basic = { 'www-authenticate': 'Basic realm="x"' }
const inconclusive: Record<string, RequestListener> = {
  'a failure': json(500, { error: 'server_error' }),
  'an overload': json(503, { error: 'temporarily_unavailable' }),
  'a limit': json(429, { error: 'slow_down' }),
  'a refused client': json(401, { error: 'invalid_client' }),
  'a refused client with a challenge': json(401, { error: 'invalid_client' }, basic),
  'a refused request': json(400, { error: 'invalid_request' }),
  'an unknown client': json(400, { error: 'unauthorized_client' }),
  'no refresh token': json(200, tokens),
  'an empty object': json(200, {}),
  'a page of a proxy': (_request, response) => {
    response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad Gateway</h1>')
  },
  'a page with status 200': (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome to the hotel</h1>')
  },
  'a redirect': (_request, response) => {
    response.writeHead(302, { location: 'http://192.0.2.1/' }).end()
  },
  'a cut connection': (request) => request.socket.destroy(),
  silence: () => {},
}

t.test('only a definite answer of auth ends a session', async (t) => {
  const site = await startSite(t, { config: shortLived })
  const browser = createBrowser(site)
  await signIn(browser, site.email)
  const cookie = browser.jar(origin).get(sessionCookie)
  let answer: RequestListener = json(500, {})
  const authUrl = await listenAs(t, (...args) => answer(...args))
  const other = await startBeside(t, site, browser, authUrl)
  for (const [name, listener] of Object.entries(inconclusive)) {
    answer = listener
    t.equal((await other.fetch(`${origin}/`)).status, 200, name)
    t.equal(other.jar(origin).get(sessionCookie), cookie, name)
  }
  answer = json(400, { error: 'invalid_grant' })
  t.equal((await other.fetch(`${origin}/`)).status, 401)
  t.notOk(other.jar(origin).has(sessionCookie))
})

async function listenAs(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  await new Promise((resolve) => server.once('listening', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** An instance that reaches another auth, and the same browser there. */
async function startBeside(t: Test, site: Site, browser: Browser, authUrl: string) {
  const app = await startApp(t, site.keyFile.exportFor('orders'), { authUrl })
  const other = createBrowser({ ...site, appUrls: [await listen(app)] })
  for (const [name, value] of browser.jar(origin)) other.jar(origin).set(name, value)
  return other
}
