import type { Service } from '@latchkey/service-kit'
import t from 'tap'
import { describeDevice } from '../src/pages/describe-device.ts'
import { en } from '../src/pages/texts/en.ts'
import { mailSettings, readCode } from './mail-support.ts'
import { addClient, locationOf, signIn, TestBrowser } from './oauth-support.ts'
import { errorOf, readForm } from './pages-support.ts'
import {
  createConfig,
  login,
  password,
  post,
  register,
  startAuth,
  startInstance,
} from './support.ts'

const newPassword = 'nine purple lanterns'

/** A browser that has logged in without an app. */
async function openAccount(app: Service, email: string) {
  const browser = new TestBrowser(app)
  const reply = await browser.submit('/login', { email, password })
  if (locationOf(reply) !== 'account') throw new Error(reply.body)
  return browser
}

/** The IDs of the sessions on the account page, in its order. */
async function listIds(browser: TestBrowser): Promise<string[]> {
  const { body } = await browser.open('/account')
  return [...body.matchAll(/name="id" value="([^"]+)"/g)].map(([, id = '']) => id)
}

const isSignedIn = async (browser: TestBrowser) =>
  (await browser.open('/account')).statusCode === 200

/** Opens a page, fills in its form, and sends that. */
async function send(browser: TestBrowser, page: string, fields: Record<string, string>) {
  const { body } = await browser.open(`/${page}`)
  return sendForm(browser, body, fields)
}

/** Fills in the form of a page, and sends it. */
function sendForm(browser: TestBrowser, body: string, fields: Record<string, string>) {
  const [, action] = /<form method="post" action="([^"]+)"/.exec(body) ?? []
  const form = readForm(body)
  const missing = Object.keys(fields).find((name) => !Object.hasOwn(form, name))
  if (action === undefined || missing) throw new Error(`no field ${missing}: ${body}`)
  return browser.submit(`/${action}`, { ...form, ...fields })
}

t.test(
  'a browser that is signed out is sent to the login, which leads to the account',
  async (t) => {
    const app = await startAuth(t)
    const email = await register(app)
    const browser = new TestBrowser(app)
    for (const page of [
      'account',
      'profile',
      'change-password',
      'change-email',
      'delete-account',
    ]) {
      const reply = await browser.open(`/${page}`)
      t.match([reply.statusCode, locationOf(reply)], [303, 'login'], page)
    }
    const forms = ['profile', 'change-password', 'change-email', 'delete-account', 'end-session']
    for (const form of [...forms, 'end-all-sessions']) {
      const reply = await browser.submit(`/${form}`, { current_password: password })
      t.match([reply.statusCode, locationOf(reply)], [303, 'login'], form)
    }
    const reply = await browser.submit('/login', { email, password })
    t.match([reply.statusCode, locationOf(reply)], [303, 'account'])
    t.equal(locationOf(await browser.open('/login')), 'account')
    const { body } = await browser.open('/account')
    t.match(body, `${email} (not verified)`)
    t.notMatch(body, 'change-email', 'the address cannot be changed without mail')
    t.match((await browser.open('/account?before=x')).statusCode, 400)
  },
)

t.test('sets and removes the name and the language', async (t) => {
  const app = await startAuth(t)
  const browser = await openAccount(app, await register(app))
  const save = (display_name: string, locale: string) =>
    send(browser, 'profile', { display_name, locale })
  t.equal(locationOf(await save('Ada <b>', 'en-GB')), 'account')
  const { body } = await browser.open('/account')
  t.match(body, '<dd>Ada &#60;b&#62;</dd>')
  t.match(body, '<dd>en-GB</dd>')
  t.match((await browser.open('/profile')).body, /name="display_name"[^>]* value="Ada &#60;b&#62;"/)
  const wrong = await save('Ada', 'not a tag')
  t.equal(wrong.statusCode, 400)
  t.match(errorOf(wrong.body), 'Enter a language tag')
  t.match(wrong.body, /name="locale"[^>]* value="not a tag"[^>]* aria-invalid="true"/)
  t.equal((await save('', '')).statusCode, 303)
  const { rows } = await app.db.query('SELECT display_name, locale FROM users')
  t.strictSame(rows, [{ display_name: null, locale: null }])
  const events = await app.db.query(
    `SELECT actor, subject_id = users.id AS own FROM audit_events, users
      WHERE action = 'changeProfile'`,
  )
  t.strictSame(events.rows, [
    { actor: 'user', own: true },
    { actor: 'user', own: true },
  ])
  t.match(
    (await browser.open('/profile?display_name=Eve')).body,
    /name="display_name"[^>]* value=""/,
  )
})

t.test('shows the sessions as a tree, and ends that of an app or of another browser', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  await addClient(app, 'orders')
  const there = await signIn(app, email)
  const here = await openAccount(app, email)
  const { body } = await here.open('/account')
  t.match(body, /<strong>lightMyRequest<\/strong> <span class="badge">This browser<\/span>/)
  t.match(
    body,
    /<ul>\s*<li>\s*<div class="row">\s*<div><strong>orders<\/strong>/,
    'the app is below',
  )
  t.match(body, /<time datetime="20[^"]+">[^<]+ UTC<\/time>/)
  const [own = '', other = '', orders = ''] = await listIds(here)

  const stranger = await openAccount(app, await register(app))
  t.equal((await stranger.submit('/end-session', { id: other })).statusCode, 303)
  t.equal((await listIds(here)).length, 3, 'not by another user')
  t.equal((await here.submit('/end-session', { id: 'x' })).statusCode, 400)

  t.equal(locationOf(await here.submit('/end-session', { id: orders })), 'account')
  t.strictSame(await listIds(here), [own, other])
  t.ok(await isSignedIn(there.browser))
  await here.submit('/end-session', { id: other })
  t.strictSame(await listIds(here), [own])
  t.notOk(await isSignedIn(there.browser))
  t.equal((await here.submit('/end-session', { id: other })).statusCode, 303, 'it has ended')

  await here.submit('/end-session', { id: own })
  t.equal(here.cookies.size, 0)
  t.notOk(await isSignedIn(here))
})

t.test('logs out everywhere', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const [here, there] = [await openAccount(app, email), await openAccount(app, email)]
  const { refresh_token } = await login(app, email)
  const reply = await here.submit('/end-all-sessions', {})
  t.match(reply.body, 'logged out of all apps and in all browsers')
  t.equal(here.cookies.size, 0)
  t.notOk(await isSignedIn(there))
  t.equal((await post(app, '/v1/refresh', { refresh_token })).statusCode, 401)
})

t.test('a new password keeps this browser signed in, and ends all other sessions', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const [here, there] = [await openAccount(app, email), await openAccount(app, email)]
  const before = [...here.cookies.values()]
  const change = (current_password: string, secret: string) =>
    send(here, 'change-password', { current_password, password: secret })
  const wrong = await change('wrong password', newPassword)
  t.equal(wrong.statusCode, 403)
  t.equal(errorOf(wrong.body), 'The current password is wrong.')
  t.match(wrong.body, /name="current_password"[^>]* aria-invalid="true"/)
  const weak = await change(password, 'password123')
  t.match(errorOf(weak.body), 'easy to guess')
  t.notMatch(weak.body, 'password123')
  t.match(errorOf((await change(password, 'short')).body), 'Use a password of 8 to 256 characters')
  t.ok(await isSignedIn(there), 'nothing has changed')

  const stolen = new TestBrowser(app)
  for (const [name, value] of here.cookies) stolen.cookies.set(name, value)
  const done = await change(password, newPassword)
  t.match(done.body, 'Your password is changed')
  t.notSame([...here.cookies.values()], before)
  t.ok(await isSignedIn(here))
  t.notOk(await isSignedIn(there))
  t.notOk(await isSignedIn(stolen), 'the old cookie is worth nothing')
  t.equal((await listIds(here)).length, 1)
  t.equal((await post(app, '/v1/login', { email, password: newPassword })).statusCode, 200)
})

t.test('changes the address with the code that is mailed to the new one', async (t) => {
  const app = await startAuth(t, { ...mailSettings, LATCHKEY_REGISTRATION: 'open' })
  const browser = await openAccount(app, await register(app))
  const email = 'new@example.com'
  t.match((await browser.open('/account')).body, 'href="change-email"')
  const wrong = await send(browser, 'change-email', { email, current_password: 'wrong' })
  t.equal(errorOf(wrong.body), 'The current password is wrong.')
  t.match(wrong.body, `value="${email}"`)
  const invalid = await send(browser, 'change-email', { email: 'x', current_password: password })
  t.match(invalid.body, /name="email"[^>]* aria-invalid="true"/)
  const sent = await send(browser, 'change-email', {
    email: ` ${email}`,
    current_password: password,
  })
  t.match(sent.body, `We sent a mail to ${email}`)
  const { verification_id, code } = await readCode(app, email)
  t.match(sent.body, `name="verification_id" value="${verification_id}"`)
  t.notMatch(sent.body, code)
  const mistyped = await sendForm(browser, sent.body, { code: '0000' })
  t.match(mistyped.body, /<input id="code" name="code" type="text"[^>]* value="0000"/)
  const done = await sendForm(browser, mistyped.body, { code })
  t.match(done.body, 'Your e-mail address is changed')
  t.match((await browser.open('/account')).body, `${email} (verified)`)
})

t.test('deletes the account after the password', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const [here, there] = [await openAccount(app, email), await openAccount(app, email)]
  const erase = (current_password: string) => send(here, 'delete-account', { current_password })
  t.equal(errorOf((await erase('wrong')).body), 'The current password is wrong.')
  await app.db.query(`UPDATE users SET roles = '{admin}'`)
  const last = await erase(password)
  t.equal(last.statusCode, 409)
  t.match(errorOf(last.body), 'You are the only administrator')
  await app.db.query(`UPDATE users SET roles = '{}'`)
  t.match((await erase(password)).body, 'Your account is deleted')
  t.equal(here.cookies.size, 0)
  t.notOk(await isSignedIn(there))
  t.equal((await post(app, '/v1/login', { email, password })).statusCode, 401)
})

t.test('shows what happened, in words and twenty at a time', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  await post(app, '/v1/login', { email, password: 'wrong' })
  const browser = await openAccount(app, email)
  await app.db.query(`
    SELECT record_event(jsonb_build_object('action', 'other<' || n, 'actor', 'operator',
                                           'client', 'secret-client'), users.id)
      FROM users, generate_series(1, 19) AS n ORDER BY n`)
  const { body } = await browser.open('/account')
  t.match(body, '<strong>other&#60;19 (by an administrator)</strong>')
  t.match(body, '<strong>Login</strong>')
  t.notMatch(body, 'Account created')
  t.notMatch(body, 'secret-client')
  const [, older] = /href="(account\?before&#61;\d+)#events"/.exec(body) ?? []
  const next = await browser.open(`/${older?.replace('&#61;', '=')}`)
  t.match(next.body, '<strong>Failed: Login</strong>')
  t.match(next.body, '<strong>Account created</strong>')
  t.notMatch(next.body, '#events')
})

t.test('refuses a form from another site, and one whose session has just ended', async (t) => {
  const config = await createConfig(t)
  const app = await startInstance(t, config)
  const email = await register(app)
  const browser = await openAccount(app, email)
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join()
  const reply = await app.inject({
    method: 'POST',
    url: '/end-all-sessions',
    headers: {
      cookie,
      'sec-fetch-site': 'cross-site',
      'content-type': 'application/x-www-form-urlencoded',
    },
  })
  t.equal(reply.statusCode, 403)
  t.match(reply.body, 'cross_site_request')
  t.ok(await isSignedIn(browser))
  await app.db.query('UPDATE users SET disabled_at = now()')
  t.equal(locationOf(await browser.submit('/profile', { display_name: 'Eve' })), 'login')
})

t.test('a page and the route of the API share one limit per user', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const browser = await openAccount(app, email)
  const { access_token } = await login(app, email)
  const rename = (name: string) => browser.submit('/profile', { display_name: name })
  for (let n = 0; n < 20; n += 1) t.equal((await rename(`Ada ${n}`)).statusCode, 303)
  const headers = { authorization: `Bearer ${access_token}` }
  const payload = { display_name: 'Ada' }
  const limited = await app.inject({ method: 'PATCH', url: '/v1/me', headers, payload })
  t.equal(limited.statusCode, 429)
  const refused = await rename('Eve')
  t.match(errorOf(refused.body), 'Too many requests')
  const other = await openAccount(app, await register(app))
  t.equal((await other.submit('/profile', { display_name: 'Bob' })).statusCode, 303)
})

t.test('describes what sent a request in words', async (t) => {
  const webkit = 'AppleWebKit/537.36 (KHTML, like Gecko)'
  // biome-ignore format: a table
  const cases: [userAgent: string | null, device: string][] = [
    [`Mozilla/5.0 (X11; Linux x86_64) ${webkit} Chrome/141.0.0.0 Safari/537.36`,                     'Chrome on Linux'],
    [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webkit} Chrome/141.0 Safari/537.36 Edg/141.0`,     'Edge on Windows'],
    [`Mozilla/5.0 (Linux; Android 14; SM-S911B) ${webkit} SamsungBrowser/23.0 Chrome/115.0 Mobile Safari/537.36`, 'Samsung Internet on Android'],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0',         'Firefox on macOS'],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile/15E148 Safari/604.1', 'Safari on iPhone'],
    ['curl/8.5.0',                                                                                   'curl'],
    ['x'.repeat(200),                                                                                'x'.repeat(50)],
    ['',                                                                                             'Unknown device'],
    [null,                                                                                           'Unknown device'],
  ]
  for (const [userAgent, device] of cases) t.equal(describeDevice(userAgent, en), device)
})
