import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { renderLogin } from '../src/pages/templates/login.ts'
import { renderLogout, renderSignedOut } from '../src/pages/templates/logout.ts'
import { checkAccessibility } from './axe.ts'
import { launchBrowser, skip } from './browser.ts'
import { listen } from './mail-support.ts'
import { startWithPages } from './pages-support.ts'

/** The screens on which pages are read: a small phone and a desktop, light and dark. */
const screens = [320, 1000].flatMap((width) =>
  (['light', 'dark'] as const).map((colorScheme) => ({
    viewport: { width, height: 800 },
    colorScheme,
  })),
)

function allPages(site: FastifyInstance) {
  const allowed = { canReset: true, canRegister: true }
  const problem = { sentence: 'The e-mail address or the password is wrong.', fields: ['email'] }
  site.get('/login-1', async ({ texts }, reply) =>
    reply.sendPage(renderLogin(texts, { ...allowed, app: 'Orders' })),
  )
  site.get('/login-2', async ({ texts }, reply) =>
    reply.sendPage(renderLogin(texts, { ...allowed, problem, email: 'ada@example.com' })),
  )
  site.get('/logout-1', async ({ texts }, reply) =>
    reply.sendPage(renderLogout(texts, { email: 'ada@example.com', hidden: {} })),
  )
  site.get('/logout-2', async ({ texts }, reply) => reply.sendPage(renderSignedOut(texts)))
  site.get('/error', async () => {
    throw new Error('unexpected')
  })
}

t.test('every page is accessible and fits on every screen', { skip }, async (t) => {
  const settings = { LATCHKEY_LOG_LEVEL: 'silent' } as const
  const app = await listen(await startWithPages(t, allPages, settings))
  const { port } = app.server.address() as AddressInfo
  const browser = await launchBrowser(t)
  for (const screen of screens) {
    const page = await browser.newPage({ ...screen, bypassCSP: true })
    for (const path of ['login-1', 'login-2', 'logout-1', 'logout-2', 'error']) {
      await page.goto(`http://127.0.0.1:${port}/${path}`)
      const name = `${path} ${screen.viewport.width} ${screen.colorScheme}`
      await checkAccessibility(t, page, name)
      const contentWidth = await page.evaluate('document.documentElement.scrollWidth')
      t.ok(Number(contentWidth) <= screen.viewport.width, `${name}: nothing overflows`)
    }
    await page.close()
  }
})
