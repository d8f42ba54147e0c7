import type { Answer, Browser } from '@latchkey/test-kit/plain-browser'
import { request } from '@latchkey/test-kit/plain-browser'
import { openKeyring } from '@latchkey/verify'
import { mintToken } from '@latchkey/verify/testing'
import t, { type Test } from 'tap'
import { addClient } from '../../../services/auth/test/oauth-support.ts'
import { register } from '../../../services/auth/test/support.ts'
import { seal } from '../src/seal.ts'
import {
  createBrowser,
  issuer,
  locationOf,
  origin,
  type Site,
  sessionCookie,
  signIn,
  startSite,
  submitLogin,
  subOf,
} from './support.ts'

/** Goes through a login up to the answer of auth, which is not opened yet. */
async function stopBeforeCallback(browser: Browser, site: Site, email = site.email): Promise<URL> {
  const answer = await browser.open(locationOf(await browser.open(`${origin}/auth/login`)))
  const page = answer.headers.get('location')
  if (page?.startsWith(origin)) return new URL(page)
  const login = { ...answer, url: new URL(page ?? '', answer.url) }
  return locationOf(await submitLogin(browser, login, email))
}

const isSignedIn = async (browser: Browser) => (await browser.fetch(`${origin}/`)).status === 200

async function refuses(t: Test, browser: Browser, url: URL, what: string): Promise<Answer> {
  const page = await browser.open(url)
  t.match(page, { status: 400, text: /login_refused.*/ }, what)
  t.match(page.text, `href="${origin}/auth/login?returnTo=%2F"`, `${what}: a link to try again`)
  t.notOk(await isSignedIn(browser), what)
  return page
}

t.test('refuses an answer of auth that is not for this login', async (t) => {
  const site = await startSite(t)
  const other = await stopBeforeCallback(createBrowser(site), site)
  // biome-ignore format: a table
  const changes: [what: string, change: (url: URL) => void][] = [
    ['the code of another browser (injection)', (url) => url.searchParams.set('code', other.searchParams.get('code') ?? '')],
    ['a code that does not exist', (url) => url.searchParams.set('code', 'x')],
    ['a missing code', (url) => url.searchParams.delete('code')],
    ['the issuer of another server (mix-up)', (url) => url.searchParams.set('iss', 'https://evil.example')],
    ['a similar issuer', (url) => url.searchParams.set('iss', `${issuer}/`)],
    ['a missing issuer', (url) => url.searchParams.delete('iss')],
    ['two issuers', (url) => url.searchParams.append('iss', 'https://evil.example')],
    ['two codes', (url) => url.searchParams.append('code', 'x')],
    ['two states', (url) => url.searchParams.append('state', 'x')],
    ['an error', (url) => url.searchParams.set('error', '<script>')],
  ]
  for (const [what, change] of changes) {
    const browser = createBrowser(site)
    const url = await stopBeforeCallback(browser, site)
    const good = url.href
    change(url)
    const page = await refuses(t, browser, url, what)
    t.notMatch(page.text, /<script>|evil/, what)
    t.equal(locationOf(await browser.open(good)).pathname, '/auth/login', `${what}: no second try`)
  }
})

t.test('a login begins again when this browser has not begun it', async (t) => {
  const site = await startSite(t)
  const attacker = await stopBeforeCallback(createBrowser(site), site)
  // biome-ignore format: a table
  const urls: [what: string, url: string][] = [
    ['a link to the callback of an attacker (login CSRF)', attacker.href],
    ['a missing state', `${origin}/auth/callback?code=x&iss=${issuer}`],
    ['an unknown state', `${origin}/auth/callback?code=x&state=y&iss=${issuer}`],
    ['a bookmark', `${origin}/auth/callback`],
  ]
  const email = await register(site.auth[0] as Site['auth'][0])
  for (const [what, url] of urls) {
    const browser = createBrowser(site)
    t.equal(locationOf(await browser.open(url)).href, `${origin}/auth/login?again`, what)
    const page = await browser.visit(url)
    t.equal(page.url.origin, issuer, what)
    const home = await browser.follow(await submitLogin(browser, page, email))
    t.equal(home.url.href, `${origin}/`)
    t.equal((await browser.visit(url)).url.href, `${origin}/`, `${what}, when signed in`)
    t.equal(subOf(await browser.fetch(`${origin}/`)), subOf(home))
  }
  const used = await stopBeforeCallback(createBrowser(site), site)
  t.ok(used.searchParams.get('code'), 'the login of the attacker is not disturbed')
})

t.test('a browser without cookies is not sent in circles', async (t) => {
  const site = await startSite(t)
  const browser = createBrowser(site)
  await signIn(browser, site.email)
  const open = browser.open
  browser.open = (...args) => {
    browser.jar(origin).clear()
    return open(...args)
  }
  t.match(await browser.visit(`${origin}/`), { status: 400, text: /login_interrupted/ })
})

t.test('returns to a local path only', async (t) => {
  const site = await startSite(t)
  const browser = createBrowser(site)
  await signIn(browser, site.email)
  const evil = 'evil.example'
  // biome-ignore format: a table
  const tricks = [
    `https://${evil}`, `//${evil}`, `///${evil}`, `/\\${evil}`, `\\\\${evil}`, `/\t/${evil}`, `/\n/${evil}`,
    `\t//${evil}`, ` //${evil}`, `/ /${evil}`.replace(' ', '\r'), `https:${evil}`, `https:/${evil}`, `@${evil}`,
    `.${evil}`, `:80@${evil}`, 'javascript:alert(1)', 'data:text/html,x', '', 'deep/page', '?x', '#x',
    `/\u0000//${evil}`, `/x\u0085`, `/${'x'.repeat(2_000)}`,
  ]
  for (const trick of tricks) {
    const query = new URLSearchParams({ returnTo: trick })
    const page = await browser.visit(`${origin}/auth/login?${query}`)
    t.equal(page.url.href, `${origin}/`, JSON.stringify(trick).slice(0, 40))
  }
  // biome-ignore format: a table
  const paths = [
    ['/deep/page?a=1', '/deep/page?a=1'], ['/ü?ü', '/%C3%BC?%C3%BC'], ['/../x', '/x'], [`/@${evil}`, `/@${evil}`],
    [`/./${evil}`, `/${evil}`], ['/%2f%2fx', '/%2f%2fx'], ['/%5cx', '/%5cx'], [`/https://${evil}`, `/https://${evil}`],
  ]
  for (const [path = '', expected] of paths) {
    const query = new URLSearchParams({ returnTo: path })
    t.equal((await browser.visit(`${origin}/auth/login?${query}`)).url.href, origin + expected)
  }
})

t.test('refuses a request of another site that may change something (CSRF)', async (t) => {
  const site = await startSite(t)
  const browser = createBrowser(site)
  await signIn(browser, site.email)
  const cookie = `${sessionCookie}=${browser.jar(origin).get(sessionCookie)}`
  // biome-ignore format: a table
  const senders: [headers: Record<string, string>, isAllowed: boolean][] = [
    [{ 'sec-fetch-site': 'same-origin' }, true],
    [{ 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' }, true],
    [{ 'sec-fetch-site': 'cross-site' }, false],
    [{ 'sec-fetch-site': 'same-site' }, false],
    [{ 'sec-fetch-site': 'none' }, false],
    [{ 'sec-fetch-site': '' }, false],
    [{ 'sec-fetch-site': 'cross-site', origin }, false],
    [{ origin }, true],
    [{ origin: 'https://evil.example' }, false],
    [{ origin: 'http://orders.example.com' }, false],
    [{ origin: 'https://orders.example.com.evil.example' }, false],
    [{ origin: 'https://orders.example.com:8443' }, false],
    [{ origin: 'null' }, false],
    [{ referer: `${origin}/` }, false],
    [{}, false],
  ]
  const [url = ''] = site.appUrls
  for (const [sender, isAllowed] of senders) {
    const headers = { cookie, ...sender }
    const what = JSON.stringify(sender)
    const order = await request(`${url}/orders`, { method: 'POST', headers })
    t.equal(order.status, isAllowed ? 200 : 403, what)
    if (!isAllowed) {
      t.match(JSON.parse(order.text), { code: 'cross_site_request' })
      const logout = await request(`${url}/auth/logout`, { method: 'POST', headers })
      t.equal(logout.status, 403, `logout: ${what}`)
      t.strictSame(logout.fields.getSetCookie(), [])
      t.equal((await request(`${url}/hook`, { method: 'POST', headers })).status, 200, 'public')
      const socket = { ...headers, upgrade: 'websocket', connection: 'upgrade' }
      t.equal((await request(`${url}/`, { headers: socket })).status, 403, `WebSocket: ${what}`)
    }
    t.equal((await request(`${url}/`, { headers })).status, 200, `a link: ${what}`)
  }
  t.ok(await isSignedIn(browser))
})

t.test('refuses cookies that this app has not sealed for this purpose', async (t) => {
  const site = await startSite(t)
  const browser = createBrowser(site)
  await signIn(browser, site.email)
  const good = browser.jar(origin).get(sessionCookie) ?? ''
  await browser.open(`${origin}/auth/login`)
  const [, login = ''] = [...browser.jar(origin)].find(([name]) => name.includes('-login-')) ?? []
  await addClient(site.auth[0] as Site['auth'][0], 'billing')
  const keys = openKeyring(site.keyFile.exportFor('billing'))
  t.teardown(() => keys.close())
  const foreign = { clientId: 'billing', keys } as unknown as Parameters<typeof seal>[0]
  const token = mintToken({ key: site.keyFile, issuer, audience: 'orders' })
  const parts = good.split('.')
  const alter = (text = '') => (text.startsWith('A') ? 'B' : 'A') + text.slice(1)
  const change = (at: number, text: string) => parts.map((p, i) => (i === at ? text : p)).join('.')
  // biome-ignore format: a table
  const cookies: [what: string, value: string][] = [
    ['nothing', ''],
    ['garbage', 'x'],
    ['a bare token', token],
    ['a changed header', change(0, Buffer.from('{"alg":"dir","enc":"A256GCM"}').toString('base64url'))],
    ['another algorithm', change(0, Buffer.from('{"alg":"none"}').toString('base64url'))],
    ['a changed content', change(3, alter(parts[3]))],
    ['a changed tag', change(4, alter(parts[4]))],
    ['cut off', good.slice(0, -1)],
    ['much', 'x'.repeat(5_000)],
    ['the cookie of a login', login],
    ['sealed by another service', await seal(foreign, 'session', { at: token, rt: 'lkr_x' })],
  ]
  for (const [what, value] of cookies) {
    const headers = { cookie: `${sessionCookie}=${value}`, accept: '*/*' }
    const reply = await request(`${site.appUrls[0]}/`, { headers })
    t.equal(reply.status, 401, what)
    t.strictSame(reply.fields.getSetCookie(), [], what)
  }
  // A neighbouring host adds a cookie of the same name, before or after the user's (tossing).
  for (const pair of [
    ['x', good],
    [good, 'x'],
    [good, good],
  ]) {
    const cookie = pair.map((value) => `${sessionCookie}=${value}`).join('; ')
    t.equal((await request(`${site.appUrls[0]}/`, { headers: { cookie } })).status, 401)
    const callback = await stopBeforeCallback(browser, site)
    const jar = [...browser.jar(origin)].filter(([name]) => name.includes('-login-'))
    const all = [...jar.map((one) => one.join('=')), cookie].join('; ')
    const page = await request(`${site.appUrls[0]}${callback.pathname}${callback.search}`, {
      headers: { cookie: all, accept: 'text/html' },
    })
    t.match(page, { status: 400, text: /session_ambiguous/ }, 'a login explains it')
  }
})

t.test('headers of a client do not change where a login leads', async (t) => {
  const site = await startSite(t)
  const headers = {
    host: 'evil.example',
    forwarded: 'host=evil.example',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'http',
    origin: 'https://evil.example',
    accept: 'text/html',
  }
  const [url = ''] = site.appUrls
  const first = await request(`${url}/deep/page`, { headers })
  t.equal(first.fields.get('location'), `${origin}/auth/login?returnTo=%2Fdeep%2Fpage`)
  const login = await request(`${url}/auth/login`, { headers })
  const target = new URL(login.fields.get('location') ?? '')
  t.equal(target.origin, issuer)
  t.equal(target.searchParams.get('redirect_uri'), `${origin}/auth/callback`)
  t.equal(
    (await request(`${url}//evil.example/%2e%2e`, { headers })).fields
      .get('location')
      ?.startsWith(`${origin}/auth/login`),
    true,
  )

  const browser = createBrowser(site)
  await signIn(browser, site.email)
  for (const authorization of ['Bearer x', 'Bearer', 'Basic eA==', 'x']) {
    const reply = await browser.fetch(`${origin}/`, { headers: { authorization } })
    t.ok(reply.status === 401 || reply.status === 400, authorization)
    t.notMatch(reply.text, 'login_url', 'the cookie is not looked at')
  }
})

t.test('a session planted before a login is worth nothing after it (fixation)', async (t) => {
  const site = await startSite(t)
  const attacker = createBrowser(site)
  const [auth] = site.auth as [Site['auth'][0]]
  await signIn(attacker, await register(auth))
  const planted = attacker.jar(origin).get(sessionCookie) ?? ''
  const victim = createBrowser(site)
  victim.jar(origin).set(sessionCookie, planted)
  await victim.follow(await victim.open(await stopBeforeCallback(victim, site)))
  t.not(victim.jar(origin).get(sessionCookie), planted)
  const [one, two] = [await victim.fetch(`${origin}/`), await attacker.fetch(`${origin}/`)]
  t.not(subOf(one), subOf(two))
})
