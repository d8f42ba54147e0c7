import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { launchBrowser, skip } from '@latchkey/test-kit/browser'
import type { FastifyInstance } from 'fastify'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { renderAccount } from '../src/pages/templates/account.ts'
import {
  renderChangeEmail,
  renderChangePassword,
  renderDeleteAccount,
  renderProfile,
} from '../src/pages/templates/account-forms.ts'
import { renderLogin } from '../src/pages/templates/login.ts'
import { renderLogout, renderSignedOut } from '../src/pages/templates/logout.ts'
import { checkAccessibility } from './axe.ts'
import { listen, mailSettings, readCode } from './mail-support.ts'
import { startWithPages } from './pages-support.ts'
import { issuer as defaultIssuer, login, password } from './support.ts'

/** The screens on which pages are read: a small phone and a desktop, light and dark. */
const screens = [320, 1000].flatMap((width) =>
  (['light', 'dark'] as const).map((colorScheme) => ({
    viewport: { width, height: 800 },
    colorScheme,
  })),
)

/** The images of the documentation, which are written with `PAGE_IMAGES=1`. */
const images = ['reset-1000-light', 'reset-320-dark']
const folder = new URL('../../../docs/images/pages/', import.meta.url).pathname

/** Pages whose routes are tested elsewhere. */
function addPages(site: FastifyInstance) {
  const all = { canReset: true, canRegister: true, app: 'Orders' }
  const problem = {
    sentence: 'The e-mail address or the password is wrong.',
    fields: ['email', 'password'],
  }
  site.get('/login-again', async ({ texts }, reply) =>
    reply.sendPage(renderLogin(texts, { ...all, problem, email: 'ada@example.com' })),
  )
  site.get('/logout-form', async ({ texts }, reply) =>
    reply.sendPage(renderLogout(texts, { email: 'ada@example.com', hidden: {} })),
  )
  site.get('/signed-out', async ({ texts }, reply) => reply.sendPage(renderSignedOut(texts)))
  addAccountPages(site)
  site.get('/error', async () => {
    throw new Error('unexpected')
  })
}

const at = new Date('2026-11-27T09:30:00Z')
const windows =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0'
const iphone =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1'

const session = {
  id: '1',
  parentId: null,
  clientId: null,
  userAgent: windows,
  createdAt: at,
  refreshedAt: at,
  expiresAt: at,
}
const event = {
  id: '9',
  occurred_at: at.toISOString(),
  action: 'login',
  result: 'ok',
  actor: 'user',
  actor_id: null,
  subject_id: null,
  client: windows,
  network: '2001:db8:1234:5678::',
  request_id: null,
  detail: null,
} as const

/** The pages of a browser that is signed in. */
function addAccountPages(site: FastifyInstance) {
  const email = 'a-long-name-without-any-spaces@a-long-domain.example.com'
  const user = {
    id: '1',
    email,
    emailVerified: true,
    displayName: 'Ada Lovelace',
    locale: null,
    scope: '',
    roles: [],
    disabled: false,
    createdAt: at,
  }
  const wrong = { sentence: 'The current password is wrong.', fields: ['current_password'] }
  const data = {
    user,
    currentId: '1',
    canChangeEmail: true,
    sessions: [
      session,
      {
        ...session,
        id: '2',
        parentId: '1',
        clientId: 'orders',
        refreshedAt: new Date('2026-11-27T10:05:00Z'),
      },
      { ...session, id: '3', parentId: '1', clientId: 'app-'.repeat(16) },
      { ...session, id: '4', userAgent: iphone },
      { ...session, id: '5', userAgent: 'curl/8.5.0' },
      { ...session, id: '6', userAgent: null },
    ],
    events: [
      { ...event, action: 'token', detail: { client: 'orders' } },
      event,
      { ...event, result: 'refused', client: iphone, network: '203.0.113.7' },
      { ...event, action: 'changeUser', actor: 'admin', client: null, network: null },
      { ...event, action: 'register' },
    ] as const,
    next: '9',
  }
  site.get('/own-account', async ({ texts }, reply) =>
    reply.sendPage(renderAccount(texts, { ...data, events: [...data.events] })),
  )
  site.get('/profile-form', async ({ texts }, reply) =>
    reply.sendPage(
      renderProfile(texts, { ...user, problem: { sentence: 'x', fields: ['locale'] } }),
    ),
  )
  site.get('/password-form', async ({ texts }, reply) =>
    reply.sendPage(renderChangePassword(texts, { email, minLength: 8, problem: wrong })),
  )
  site.get('/email-form', async ({ texts }, reply) => reply.sendPage(renderChangeEmail(texts, {})))
  site.get('/deletion-form', async ({ texts }, reply) =>
    reply.sendPage(renderDeleteAccount(texts, { email })),
  )
}

const link = 'verification_id=mW8ysKZ0Q4qmWMWxWWmm-W&code=12345678'
const paths = [
  ...[
    'login',
    'login-again',
    'logout-form',
    'signed-out',
    'error',
    'register',
    'forgot',
    'account?verification_id=x',
  ],
  ...['own-account', 'profile-form', 'password-form', 'email-form', 'deletion-form'],
  ...['register', 'reset', 'account'].map((page) => `${page}?${link}`),
  `account?undo=1&${link}`,
]

async function start(t: Test, issuer = defaultIssuer) {
  const settings = {
    ...mailSettings,
    LATCHKEY_LOG_LEVEL: 'silent',
    LATCHKEY_ISSUER: issuer,
  } as const
  const app = await listen(await startWithPages(t, addPages, settings))
  const { port } = app.server.address() as AddressInfo
  return { app, port }
}

t.test('every page is accessible and fits on every screen', { skip }, async (t) => {
  const { port } = await start(t)
  const browser = await launchBrowser(t)
  for (const screen of screens) {
    // German is longer: it is checked where there is little space.
    for (const locale of screen.viewport.width === 320 ? ['en', 'de'] : ['en']) {
      // Otherwise axe-core could not run; no script of the page exists.
      const page = await browser.newPage({ ...screen, locale, bypassCSP: true })
      for (const path of paths) {
        await page.goto(`http://127.0.0.1:${port}/${path}`)
        const [file] = path.split('?', 1)
        const name = `${file}-${screen.viewport.width}-${screen.colorScheme}`
        await checkAccessibility(t, page, `${path} ${name} ${locale}`)
        const contentWidth = Number(await page.evaluate('document.documentElement.scrollWidth'))
        t.ok(contentWidth <= screen.viewport.width, `${name}: nothing overflows`)
        if (process.env.PAGE_IMAGES && locale === 'en' && images.includes(name)) {
          await page.screenshot({ path: join(folder, `${name}.png`) })
        }
      }
      await page.close()
    }
  }
})

/** A page without JavaScript. What the policy of the pages blocks fails the test. */
async function openPlain(t: Test, browser: Browser): Promise<Page> {
  const page = await browser.newPage({ javaScriptEnabled: false })
  page.on('console', (message) => t.notMatch(message.text(), /Content Security Policy/))
  t.teardown(() => page.close())
  return page
}

t.test('a keyboard is enough to register, and no JavaScript is needed', { skip }, async (t) => {
  const { app, port } = await start(t)
  const page = await openPlain(t, await launchBrowser(t))
  const { keyboard } = page
  const fill = async (...texts: string[]) => {
    for (const text of texts) {
      await keyboard.press('Tab')
      await keyboard.type(text)
    }
  }
  await page.goto(`http://127.0.0.1:${port}/register`)
  await fill('ada@example.com')
  await keyboard.press('Enter')
  await page.waitForSelector('[name=code]')
  await fill((await readCode(app, 'ada@example.com')).code, 'password123')
  await keyboard.press('Tab')
  await keyboard.press('Space')
  t.match(await page.textContent('[role=alert]'), 'easy to guess')
  // The field that has to be corrected has the focus.
  await keyboard.type(password)
  await keyboard.press('Enter')
  t.match(await page.textContent('a.button'), 'Log in')
  await login(app, 'ada@example.com')
})

t.test('forms work without TLS, where browsers send only Origin', { skip }, async (t) => {
  const { port } = await start(t, 'http://auth.test')
  const resolver = `--host-resolver-rules=MAP auth.test:80 127.0.0.1:${port}`
  const page = await openPlain(t, await launchBrowser(t, resolver))
  await page.goto('http://auth.test/forgot')
  await page.fill('[name=email]', 'ada@example.com')
  const sent = page.waitForRequest((request) => request.method() === 'POST')
  await page.click('button')
  const headers = await (await sent).allHeaders()
  t.match(headers, { origin: 'http://auth.test', 'sec-fetch-site': undefined })
  t.match(await page.textContent('h1'), 'Set a new password')
})
