import type { Service } from '@latchkey/service-kit'
import t from 'tap'
import { mailSettings, readCode, readMail } from './mail-support.ts'
import { errorOf, postForm, readForm, sameOrigin } from './pages-support.ts'
import { as, issuer, login, password, post, register, startAuth } from './support.ts'

const email = 'ada@example.com'
const request = 'sealed&"request"'
const passed = 'request&#61;sealed%26%22request%22'

t.test('registers with a mailed code, and passes the request of the app on', async (t) => {
  const { LATCHKEY_PAGES_URL, ...settings } = mailSettings
  const app = await startAuth(t, settings)
  const start = await app.inject({ url: `/register?${new URLSearchParams({ request })}` })
  t.equal(start.statusCode, 200)
  t.strictSame(readForm(start.body), { request, email: '' })
  t.match(start.body, `href="login?${passed}"`)
  const asked = await postForm(app, '/register', { email: ` ${email} `, request })
  t.equal(asked.statusCode, 200)
  t.match(asked.body, `We sent a mail to ${email}`)
  const { verification_id, code } = await readCode(app, email)
  t.match(readForm(asked.body), { request, verification_id, email, code: '', password: '' })

  const form = { verification_id, request, email, code: `${code.slice(0, 4)} ${code.slice(4)}` }
  const weak = await postForm(app, '/confirm-registration', { ...form, password: 'password123' })
  t.equal(weak.statusCode, 400)
  t.match(errorOf(weak.body), 'easy to guess')
  t.match(readForm(weak.body), { ...form, password: '' }, 'what was typed is kept')
  t.notMatch(weak.body, 'password123')
  const wrong = await postForm(app, '/confirm-registration', {
    ...form,
    code: '0000 0000',
    password,
  })
  t.match(wrong, { statusCode: 400 })
  t.match(wrong.body, /name="code"[^>]* aria-describedby="error" aria-invalid="true"/)
  const done = await postForm(app, '/confirm-registration', { ...form, password })
  t.equal(done.statusCode, 200)
  t.match(done.body, `<a class="button" href="login?${passed}">Log in</a>`)
  await login(app, email)
  const again = await postForm(app, '/confirm-registration', { ...form, password })
  t.equal(again.statusCode, 400)

  const [mail] = await readMail(app, email)
  t.match(mail?.link, `${issuer}/register?verification_id=`, 'mail links to the page')
})

t.test(
  'registers with a password where registration is open, and not where it is closed',
  async (t) => {
    const open = await startAuth(t)
    const start = await open.inject({ url: '/register' })
    t.strictSame(readForm(start.body), { email: '', password: '' })
    const empty = await postForm(open, '/register', { email: '', password: '' })
    t.match(empty, { statusCode: 400 })
    t.match(errorOf(empty.body), 'Enter your e-mail address')
    const short = await postForm(open, '/register', { email, password: 'short' })
    t.match(errorOf(short.body), 'Use a password of 8 to 256 characters.')
    t.match(readForm(short.body), { email, password: '' })
    t.equal((await postForm(open, '/register', { email, password })).statusCode, 200)
    const taken = await postForm(open, '/register', { email, password })
    t.equal(taken.statusCode, 409)
    t.match(errorOf(taken.body), 'already has an account')
    await login(open, email)

    const closed = await startAuth(t, { LATCHKEY_REGISTRATION: 'closed' })
    for (const reply of [
      await closed.inject({ url: '/register' }),
      await postForm(closed, '/register', { email, password }),
    ]) {
      t.equal(reply.statusCode, 403)
      t.match(reply.body, 'New accounts cannot be created here')
    }
  },
)

t.test('sets a new password with a mailed code, for any address the same', async (t) => {
  const app = await startAuth(t, { ...mailSettings, LATCHKEY_REGISTRATION: 'open' })
  const user = await register(app)
  const { access_token } = await login(app, user)
  const normalize = (body: string, address: string) =>
    body.replaceAll(address, 'x').replace(/name="verification_id" value="[^"]*"/, '')
  const known = await postForm(app, '/forgot', { email: user })
  const unknown = await postForm(app, '/forgot', { email })
  t.equal(normalize(known.body, user), normalize(unknown.body, email))
  t.equal(known.statusCode, unknown.statusCode)

  const newPassword = 'nine purple lanterns'
  const code = await readCode(app, user)
  const reset = await postForm(app, '/reset', { ...code, password: newPassword })
  t.equal(reset.statusCode, 200)
  t.match(reset.body, 'You were logged out everywhere')
  t.equal((await as(app, access_token, 'GET', '/v1/me')).statusCode, 401)
  const credentials = { email: user, password: newPassword }
  t.equal((await post(app, '/v1/login', credentials)).statusCode, 200)
  t.equal((await postForm(app, '/reset', { ...code, password })).statusCode, 400)

  const { rows } = await app.db.query(`SELECT action, result FROM audit_events ORDER BY id`)
  t.match(
    rows.filter(({ action }) => action === 'resetPassword').map(({ result }) => result),
    ['ok', 'refused'],
  )
  const silent = await startAuth(t)
  const refused = await postForm(silent, '/forgot', { email })
  t.equal(refused.statusCode, 501)
  t.match(errorOf(refused.body), 'does not send mail')
})

t.test(
  'a link from a mail only shows a form; the form changes the address or restores it',
  async (t) => {
    const { LATCHKEY_PAGES_URL, ...settings } = mailSettings
    const app = await startAuth(t, { ...settings, LATCHKEY_REGISTRATION: 'open' })
    const old = await register(app)
    const { access_token } = await login(app, old)
    await as(app, access_token, 'POST', '/v1/me/email', { email, password })
    const me = async () => (await app.db.query('SELECT email FROM users')).rows

    const follow = async (address: string) => {
      const link = new URL((await readMail(app, address)).at(-1)?.link ?? '')
      const url = link.pathname + link.search
      for (const method of ['GET', 'HEAD', 'GET'] as const) {
        t.equal((await app.inject({ method, url })).statusCode, 200)
      }
      const { body } = await app.inject({ url })
      return { fields: readForm(body), action: `/${/action="([^"]+)"/.exec(body)?.[1]}` }
    }
    const change = await follow(email)
    t.strictSame(await me(), [{ email: old }])
    t.equal(change.action, '/confirm-email')
    t.equal((await postForm(app, change.action, change.fields)).statusCode, 200)
    t.strictSame(await me(), [{ email }])
    t.equal((await postForm(app, change.action, change.fields)).statusCode, 400)

    const undo = await follow(old)
    t.equal(undo.action, '/restore-email')
    t.equal((await postForm(app, undo.action, undo.fields)).statusCode, 200)
    t.strictSame(await me(), [{ email: old }])

    const reset = await follow(old)
    t.equal(reset.action, '/reset')
    t.match(reset.fields, { code: /^\d{8}$/ }, 'the code is filled in')
    const fields = { ...reset.fields, password: 'nine purple lanterns' }
    t.equal((await postForm(app, reset.action, fields)).statusCode, 200)
  },
)

t.test('a page and the route of the API share one limit', async (t) => {
  const app = await startAuth(t, { ...mailSettings, LATCHKEY_REGISTER_LIMIT: 3 })
  const nothing = { verification_id: 'x'.repeat(22), code: '12345678', password }
  const pairs: [page: string, route: string, fields: Record<string, string>][] = [
    ['/register', '/v1/register', { email }],
    ['/confirm-registration', '/v1/email-verification/confirm', nothing],
    ['/forgot', '/v1/password-reset', { email }],
    ['/reset', '/v1/password-reset/confirm', nothing],
  ]
  for (const [page, route, fields] of pairs) {
    await limited(app, page, route, fields)
  }
  async function limited(
    app: Service,
    page: string,
    route: string,
    fields: Record<string, string>,
  ) {
    await postForm(app, page, fields)
    await post(app, route, fields)
    t.not((await postForm(app, page, fields)).statusCode, 429, page)
    t.equal((await post(app, route, fields)).statusCode, 429, route)
    const refused = await postForm(app, page, fields)
    t.equal(refused.statusCode, 429, page)
    t.match(refused.body, /Too many requests. Please try again in \d+ seconds?\./)
    t.match(refused.headers['retry-after'], /^\d+$/)
  }
  const foreign = await postForm(app, '/register', { email }, { 'sec-fetch-site': 'cross-site' })
  t.equal(foreign.statusCode, 403, 'another site is refused before it is counted')
})

t.test('refuses forms that are not what the page has sent', async (t) => {
  const app = await startAuth(t, mailSettings)
  const headers = { ...sameOrigin, 'content-type': 'application/x-www-form-urlencoded' }
  for (const [url, payload] of [
    ['/register', 'email=a@example.com&email=b@example.com'],
    ['/register', 'email=a@example.com&admin=true'],
    ['/register', 'email=a%00b@example.com'],
    ['/register', ''],
    ['/register', `email=a@example.com&request=${'x'.repeat(9_000)}`],
    ['/reset', 'code=12345678&password=correct+horse+battery'],
    ['/reset', '__proto__=1&constructor=2'],
    ['/confirm-email', 'verification_id=x&code=1'],
  ] as const) {
    const reply = await app.inject({ method: 'POST', url, headers, payload })
    t.equal(reply.statusCode, 400, `${url} ${payload.slice(0, 50)}`)
    t.match(reply.headers['content-type'], 'text/html')
  }
  for (const query of ['verification_id=a&verification_id=b', 'request=a&request=b']) {
    t.equal((await app.inject({ url: `/register?${query}` })).statusCode, 400)
  }
  const hostile = `"><script>alert(1)</script>`
  for (const page of ['register', 'forgot', 'reset', 'account', 'login']) {
    const parameters = { verification_id: hostile, code: hostile, request: hostile, email: hostile }
    const { body } = await app.inject({ url: `/${page}?${new URLSearchParams(parameters)}` })
    t.notMatch(body, '<script', page)
    t.notMatch(body, /<p>[^<]*&#34;/, 'a link cannot write text on a page')
  }
})
