import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Service } from '@latchkey/service-kit'
import { launchBrowser, skip } from '@latchkey/test-kit/browser'
import type { Browser } from 'playwright-core'
import t, { type Test } from 'tap'
import { mailKinds } from '../src/mail/kinds.ts'
import { mailSettings, readCode, readMail, type WrittenMail } from './mail-support.ts'
import {
  as,
  assertAs,
  createConfig,
  login,
  password,
  post,
  register,
  startInstance,
} from './support.ts'

/** The endpoints that accept a code, and the page with the form for it. */
const endpoints = {
  '/v1/email-verification/confirm': 'register',
  '/v1/password-reset/confirm': 'reset',
  '/v1/me/email/confirm': 'account',
  '/v1/me/email/undo': 'account',
}

/** The kinds of mail whose templates contain the code. */
const withCode = ['registration', 'password-reset', 'set-password', 'email-change', 'email-changed']

/** A page as a team has it: its script fills a form from the link, and the user sends the form. */
const page = `<!doctype html><title>Account</title>
<form method="post">
  <input name="verification_id"><input name="code"><input name="password" type="password">
  <button>Confirm</button>
</form>
<script>
  for (const [name, value] of new URLSearchParams(location.search)) {
    const input = document.querySelector('[name=' + name + ']')
    if (input) input.value = value
  }
  document.title = 'Filled in'
</script>`

/** Serves the pages after a redirect, and sends their forms to the endpoint. */
async function startPages(t: Test) {
  let auth: Service | undefined
  const server = createServer(async (request, reply) => {
    const { pathname, search, searchParams } = new URL(request.url ?? '/', 'http://pages')
    if (!pathname.startsWith('/forms/')) {
      reply.writeHead(302, { location: `/forms${pathname}${search}` }).end()
    } else if (request.method !== 'POST') {
      reply.setHeader('content-type', 'text/html').end(page)
    } else {
      const chunks = await request.toArray()
      const { password, ...code } = Object.fromEntries(
        new URLSearchParams(Buffer.concat(chunks).toString()),
      )
      const name = pathname.slice('/forms/'.length)
      const [endpoint = ''] =
        Object.entries(endpoints).find(([path, of]) =>
          searchParams.has('undo') ? path.endsWith('/undo') : of === name,
        ) ?? []
      const body = name === 'account' ? code : { ...code, password }
      const answer = auth && (await post(auth, endpoint, body))
      reply.end(`answer: ${answer?.statusCode} ${answer?.body}`)
    }
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, connect: (app: Service) => (auth = app) }
}

/** Causes a mail of each kind, to an address of its own. @returns the mail */
async function causeMail(open: Service, app: Service): Promise<WrittenMail[]> {
  const user = async () => {
    const email = await register(open)
    return { email, token: (await login(app, email)).access_token }
  }
  const taken = (await user()).email
  await post(app, '/v1/register', { email: 'new@example.com' })
  await post(app, '/v1/register', { email: taken })
  const forgetful = (await user()).email
  await post(app, '/v1/password-reset', { email: forgetful })
  const operator = await assertAs(app, 'operator')
  await as(app, operator, 'POST', '/v1/admin/users', { email: 'invited@example.com' })
  const changeTo = async (email: string) => {
    const asking = await user()
    await as(app, asking.token, 'POST', '/v1/me/email', { email, password })
    return asking.email
  }
  await changeTo('changing@example.com')
  const changed = await changeTo('changed@example.com')
  await post(app, '/v1/me/email/confirm', await readCode(app, 'changed@example.com'))
  const { token, email: careful } = await user()
  const change = { current_password: password, new_password: 'nine purple lanterns' }
  await as(app, token, 'POST', '/v1/me/password', change)
  // Last, so that it is the latest to this address.
  await changeTo(taken)
  const recipients = ['new@example.com', taken, forgetful, 'invited@example.com']
  recipients.push('changing@example.com', changed, careful)
  return (await Promise.all(recipients.map((recipient) => readMail(app, recipient)))).flat()
}

/** Whatever a code could change. */
async function snapshot(app: Service) {
  const tables = ['mailed_codes', 'pending_registrations', 'users', 'sessions']
  tables.push('login_failures')
  const rows = tables.map(async (table) => {
    const { rows } = await app.db.query(`SELECT x::text FROM ${table} AS x ORDER BY 1`)
    return [table, rows]
  })
  return Object.fromEntries(await Promise.all(rows))
}

/** Opens a link in a browser of its own, as the scanner or the user, and lets its scripts run. */
async function open(browser: Browser, link: string) {
  const tab = await browser.newPage()
  await tab.goto(link, { waitUntil: 'networkidle' })
  return tab
}

t.test('a client that follows every link uses no code up', { skip }, async (t) => {
  const pages = await startPages(t)
  const config = await createConfig(t, { ...mailSettings, LATCHKEY_PAGES_URL: pages.url })
  const app = await startInstance(t, config)
  pages.connect(app)
  const registering = await startInstance(t, { ...config, LATCHKEY_REGISTRATION: 'open' })
  const mails = await causeMail(registering, app)
  t.strictSame(new Set(mails.map(({ kind }) => kind)), new Set(mailKinds), 'mail of every kind')
  const browser = await launchBrowser(t)

  const before = await snapshot(app)
  for (const { link } of mails.filter((mail) => mail.link !== undefined)) {
    for (const method of ['GET', 'HEAD'] as const) {
      t.equal((await fetch(link, { method })).status, 200)
      for (const path of Object.keys(endpoints)) {
        const reply = await app.inject({ method, url: path + new URL(link).search })
        t.ok(reply.statusCode >= 400 && reply.statusCode < 500, `${method} ${path}`)
      }
    }
    const tab = await open(browser, link)
    t.equal(await tab.title(), 'Filled in', 'its scripts run')
    await tab.close()
  }
  t.strictSame(await snapshot(app), before, 'nothing has changed')

  for (const { kind, link } of mails.filter(({ kind }) => withCode.includes(kind))) {
    for (const expected of [/answer: 20[14]/, /answer: 400 .*code_invalid/]) {
      const tab = await open(browser, link)
      await tab.fill('[name=password]', 'seven green umbrellas')
      await tab.click('button')
      t.match(await tab.textContent('body'), expected, kind)
      await tab.close()
    }
  }
})
