import { launchBrowser } from '@latchkey/test-kit/browser'
import type { Test } from 'tap'

interface User {
  readonly email: string
  readonly password: string
}

/** Signs in to orders in Chromium, then opens billing, and leaves. */
export async function signInAndOut(t: Test, port: number, user: User): Promise<void> {
  const browser = await launchBrowser(t)
  // The test of internal paths checks the certificates.
  const page = await browser.newPage({ ignoreHTTPSErrors: true, javaScriptEnabled: false })
  const urlOf = (app: string) => `https://${app}.localhost:${port}/`
  const press = (name: string) => page.getByRole('button', { name }).click()

  await page.goto(`https://localhost:${port}/`)
  await page.getByRole('link', { name: 'orders', exact: true }).first().click()
  t.ok(page.url().startsWith(`https://localhost:${port}/auth/login?`), page.url())
  await page.getByLabel('E-mail address').fill(user.email)
  await page.getByLabel('Password').fill(user.password)
  await press('Log in')
  await page.getByRole('heading', { name: 'Orders' }).waitFor()
  t.equal(page.url(), urlOf('orders'))
  await page.goto(urlOf('billing'))
  t.equal(await page.textContent('h1'), 'Invoices', 'nothing was typed')
  const hosts = (await page.context().cookies()).map(({ domain }) => domain)
  t.strictSame(hosts.sort(), ['billing.localhost', 'localhost', 'orders.localhost'])

  await press('Log out')
  await press('Log out')
  await page.goto(urlOf('billing'))
  t.equal(await page.textContent('h1'), 'Log in')
}
