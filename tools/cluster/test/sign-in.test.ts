import { join } from 'node:path'
import { launchBrowser, skip } from '@latchkey/test-kit/browser'
import type { BrowserContext, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { type Cluster, startCluster } from '../src/cluster.ts'
import { repository } from '../src/processes/node.ts'
import { appUrl } from '../src/services/services.ts'

/** The images of the documentation are written with `PAGE_IMAGES=1`. */
const images = process.env.PAGE_IMAGES === '1'

/** How long pages may take on a busy machine. */
const patienceMs = 60_000

async function startWithBrowser(t: Test) {
  const cluster = await startCluster({ ephemeral: true, port: 0, instances: 2 })
  t.teardown(() => cluster.stop())
  const browser = await launchBrowser(t)
  /** A browser of its own, without JavaScript. */
  const open = async () => {
    const viewport = { width: 1000, height: 640 }
    const context = await browser.newContext({ javaScriptEnabled: false, viewport })
    context.setDefaultTimeout(patienceMs)
    return context
  }
  return { cluster, open }
}

async function visit(page: Page, cluster: Cluster, app: 'orders' | 'billing'): Promise<void> {
  await page.goto(`${appUrl(app, cluster.url)}/`)
}

/** Types the password of the demo user. */
async function fillIn(page: Page, { demoUser }: Cluster): Promise<void> {
  await page.getByLabel('E-mail address').fill(demoUser.email)
  await page.getByLabel('Password').fill(demoUser.password)
}

const submit = (page: Page) => page.getByRole('button', { name: 'Log in' }).click()
const logOut = (page: Page) => page.getByRole('button', { name: 'Log out' }).click()
/** Waits for a page. */
const find = (page: Page, name: string) => page.getByRole('heading', { name, level: 1 }).waitFor()

/** Opens orders until it asks for the password. @returns after how many milliseconds it does */
async function untilLoggedOut(page: Page, cluster: Cluster): Promise<number> {
  const startedAt = Date.now()
  while ((await page.textContent('h1')) !== 'Log in') await visit(page, cluster, 'orders')
  return Date.now() - startedAt
}

/**
 * Kills an instance, and waits until the edge knows: what it sends over a connection that is just
 * closing may have been processed, so it answers 502 and does not repeat it.
 */
async function killAndWait(page: Page, cluster: Cluster, name: string): Promise<void> {
  const pid = cluster.pid(name)
  cluster.kill(name)
  while (cluster.isUp(name) && cluster.pid(name) === pid) await page.waitForTimeout(10)
  for (const _instance of cluster.instances) await fetch(`${cluster.url}/auth/livez`)
}

async function takeImage(page: Page, name: string): Promise<void> {
  if (!images) return
  await page.screenshot({ path: join(repository, 'docs/images/pages', `${name}.png`) })
}

t.test('one login opens every app, and one logout closes them', { skip }, async (t) => {
  const { cluster, open } = await startWithBrowser(t)

  await t.test('a person orders, gets an invoice on another host, and leaves', async (t) => {
    const page = await (await open()).newPage()
    await visit(page, cluster, 'orders')
    t.match(page.url(), `${cluster.url}/auth/login?request=`)
    await fillIn(page, cluster)
    await takeImage(page, 'login')
    await submit(page)
    await page.getByLabel('Item').fill('notebook')
    await page.getByLabel('Quantity').fill('3')
    await page.getByLabel('Price of one').fill('12.50')
    await page.getByRole('button', { name: 'Place the order' }).click()
    t.match(await page.textContent('table'), /notebook.*37\.50/s)
    await takeImage(page, 'orders')

    await visit(page, cluster, 'billing')
    t.equal(page.url(), `${appUrl('billing', cluster.url)}/`, 'nothing was typed')
    await page.getByRole('button', { name: 'Create the invoice' }).click()
    t.match(await page.textContent('table'), '37.50')
    await takeImage(page, 'billing')
    const names = (await page.context().cookies()).map(({ name, domain }) => `${domain} ${name}`)
    t.strictSame(
      new Set(names),
      new Set([
        'localhost __Secure-latchkey',
        'orders.localhost __Host-orders-session',
        'billing.localhost __Host-billing-session',
      ]),
      'no host gets the cookie of another',
    )

    await logOut(page)
    t.match(await page.textContent('main'), cluster.demoUser.email)
    await takeImage(page, 'logout')
    await logOut(page)
    await find(page, 'You are logged out')
    t.comment(`orders asks for the password after ${await untilLoggedOut(page, cluster)} ms`)
    await visit(page, cluster, 'billing')
    await find(page, 'Log in')
  })

  await t.test('two tabs sign in at the same time', async () => {
    const context: BrowserContext = await open()
    const tabs = { orders: await context.newPage(), billing: await context.newPage() } as const
    for (const app of ['orders', 'billing'] as const) {
      await visit(tabs[app], cluster, app)
      await fillIn(tabs[app], cluster)
    }
    await Promise.all([submit(tabs.orders), submit(tabs.billing)])
    await find(tabs.orders, 'Orders')
    await find(tabs.billing, 'Invoices')
  })

  await t.test('an instance that dies during the login is not noticed', async () => {
    const page = await (await open()).newPage()
    for (const instance of ['auth-1', 'auth-2']) {
      await visit(page, cluster, 'orders')
      await fillIn(page, cluster)
      await killAndWait(page, cluster, instance)
      await submit(page)
      await find(page, 'Orders')
      await logOut(page)
      await logOut(page)
      await find(page, 'You are logged out')
      while (!cluster.isUp(instance)) await page.waitForTimeout(50)
      await untilLoggedOut(page, cluster)
    }
  })
})
