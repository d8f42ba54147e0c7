import { request, waitUntil } from '@latchkey/test-kit/plain-browser'
import { mintToken } from '@latchkey/verify/testing'
import t from 'tap'
import {
  createBrowser,
  issuer,
  listen,
  locationOf,
  origin,
  sessionCookie,
  signIn,
  startApp,
  startSite,
  subOf,
} from './support.ts'

t.test('a person signs in and arrives at the page that was asked for', async (t) => {
  const site = await startSite(t)
  const browser = createBrowser(site)
  const first = await browser.open(`${origin}/deep/page?a=1&b=/x`)
  t.equal(first.status, 302)
  t.equal(locationOf(first).href, `${origin}/auth/login?returnTo=%2Fdeep%2Fpage%3Fa%3D1%26b%3D%2Fx`)
  const page = await signIn(browser, site.email, '/deep/page?a=1&b=/x')
  t.match(page, { status: 200, text: '/deep/page?a=1&b=/x', url: { origin } })
  t.strictSame([...browser.jar(origin).keys()], [sessionCookie], 'the login left no cookie')
  t.equal(page.headers.get('cache-control'), 'no-store')
  const home = await browser.open(`${origin}/`)
  t.match(JSON.parse(home.text), { sub: /^[\w-]{36}$/ })
})

t.test('the cookies are of this host alone, and unreadable for scripts', async (t) => {
  const site = await startSite(t)
  const browser = createBrowser(site)
  const login = await browser.open(`${origin}/auth/login`)
  const attributes = 'Path=/; HttpOnly; Secure; SameSite=Lax'
  t.match(login.headers.getSetCookie(), [
    new RegExp(`^__Host-orders-login-[\\w-]{16}=[\\w.-]+; ${attributes}; Max-Age=600$`),
  ])
  const cookies: string[] = []
  const open = browser.open
  browser.open = async (...args) => {
    const answer = await open(...args)
    cookies.push(...answer.headers.getSetCookie())
    return answer
  }
  await signIn(browser, site.email)
  const session = cookies.filter((cookie) => cookie.startsWith(`${sessionCookie}=`))
  t.match(session, [new RegExp(`^${sessionCookie}=[\\w.-]+; ${attributes}$`)])
  t.ok(session.join().length < 4_096, `${session.join().length} bytes`)
  t.notMatch(browser.jar(origin).get(sessionCookie), /lkr_/, 'it is encrypted')
})

t.test('a fetch gets 401 with the address of the login', async (t) => {
  const site = await startSite(t)
  const browser = createBrowser(site)
  const reply = await browser.fetch(`${origin}/`)
  t.equal(reply.status, 401)
  t.equal(reply.headers.get('www-authenticate'), 'Bearer realm="latchkey"')
  t.match(JSON.parse(reply.text), { code: 'token_missing', login_url: `${origin}/auth/login` })
  const [app = ''] = site.appUrls
  t.equal((await request(app, { headers: { accept: 'text/html' } })).status, 302, 'old browsers')
  t.equal((await request(app, { headers: { accept: '*/*' } })).status, 401)
  t.equal((await browser.open(`${origin}/orders`, { method: 'POST' })).status, 401)
})

t.test('scopes, public routes and Bearer tokens work as without the plugin', async (t) => {
  const site = await startSite(t)
  const browser = createBrowser(site)
  t.equal((await browser.fetch(`${origin}/public`)).text, 'hello stranger')
  const sub = subOf(await signIn(browser, site.email))
  t.equal((await browser.fetch(`${origin}/public`)).text, `hello ${sub}`)
  t.match(await browser.fetch(`${origin}/admin`), { status: 403, text: /scope_insufficient/ })
  t.match(await browser.fetch(`${origin}/none`), { status: 404 })

  const { kid, secret } = site.keyFile
  const token = mintToken({ key: { kid, secret }, issuer, audience: 'orders', subject: 'robot' })
  const robot = { authorization: `Bearer ${token}` }
  const api = await browser.fetch(`${origin}/`, { headers: robot })
  t.equal(subOf(api), 'robot', 'the header comes before the cookie')
  const post = { method: 'POST', headers: { ...robot, 'sec-fetch-site': 'cross-site' } }
  t.match(await browser.fetch(`${origin}/orders`, post), { status: 200, text: 'robot' })
})

t.test('logins in several tabs do not disturb each other', async (t) => {
  const site = await startSite(t)
  const browser = createBrowser(site)
  const tabs = []
  for (let n = 0; n < 7; n += 1)
    tabs.push(await browser.open(`${origin}/auth/login?returnTo=/${n}`))
  const logins = [...browser.jar(origin).keys()].filter((name) => name.includes('-login-'))
  t.equal(logins.length, 5, 'the oldest are dropped')
  await signIn(browser, site.email)
  const last = await browser.open(locationOf(tabs[6] as (typeof tabs)[0]))
  const back = await browser.open(locationOf(last))
  t.match(back, { status: 303 })
  t.equal(locationOf(back).href, `${origin}/6`)
})

t.test('logging out ends the session at auth, and needs a form of the app', async (t) => {
  const site = await startSite(t)
  const browser = createBrowser(site)
  await signIn(browser, site.email)
  const cookie = browser.jar(origin).get(sessionCookie) ?? ''
  t.equal((await browser.open(`${origin}/auth/logout`)).status, 404, 'a link ends nothing')
  t.equal((await browser.open(`${origin}/`)).status, 200)
  const reply = await browser.submit(`${origin}/auth/logout`, {})
  t.equal(reply.status, 303)
  t.equal(locationOf(reply).href, `${issuer}/logout?client_id=orders`)
  t.equal(browser.jar(origin).size, 0)
  t.match(await browser.follow(reply), { status: 200, text: /<form/ })
  const events = await site.auth[0]?.db.query(
    "SELECT 1 FROM sessions WHERE client_id = 'orders' AND revoked_at IS NOT NULL",
  )
  t.equal(events?.rows.length, 1, 'a copy of the cookie cannot be refreshed')
  t.ok(cookie)
  t.equal((await browser.submit(`${origin}/auth/logout`, {})).status, 303, 'also without a session')
})

t.test('logging out at auth signs every app out', async (t) => {
  const site = await startSite(t)
  const [url = ''] = site.authUrls
  const polling = { revocations: { url, pollIntervalMs: 100 } }
  const file = site.keyFile.exportFor('orders')
  const app = await startApp(t, file, { authUrl: url, verifier: polling })
  const browser = createBrowser({ ...site, appUrls: [await listen(app)] })
  await signIn(browser, site.email)
  t.equal((await browser.fetch(`${origin}/`)).status, 200)
  t.equal((await browser.submit(`${issuer}/logout`, {})).status, 200)
  await waitUntil(async () => (await browser.fetch(`${origin}/`)).status === 401)
  t.notOk(browser.jar(origin).has(sessionCookie), 'auth refused to renew it')
  t.match(await browser.visit(`${origin}/`), { status: 200, url: { origin: issuer } })
})
