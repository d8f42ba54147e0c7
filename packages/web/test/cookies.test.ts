import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Browser, request, waitUntil } from '@latchkey/test-kit/plain-browser'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import {
  createRootJwk,
  createServiceSet,
  type JwkSet,
} from '../../../services/auth/src/keys/jwk.ts'
import { addClient } from '../../../services/auth/test/oauth-support.ts'
import {
  createBrowser,
  issuer,
  listen,
  origin,
  sessionCookie,
  signIn,
  startApp,
  startSite,
} from './support.ts'

/** Instances of one app whose key files have come at different times. */
async function startInstances(t: Test, authUrl: string, sets: Record<string, JwkSet>) {
  const folder = t.testdir()
  const urls: Record<string, string> = {}
  for (const [name, set] of Object.entries(sets)) {
    const file = join(folder, `${name}.json`)
    writeFileSync(file, JSON.stringify(set))
    urls[name] = await listen(await startApp(t, file, { authUrl }))
  }
  return urls
}

t.test('sessions survive the replacement of the root key', async (t) => {
  // Every request renews the session, and so seals a new cookie.
  const site = await startSite(t, { config: { LATCHKEY_ACCESS_TOKEN_TTL_SECONDS: 29 } })
  const [authUrl = ''] = site.authUrls
  const old: JwkSet = JSON.parse(readFileSync(site.keyFile.file, 'utf8'))
  const next = createRootJwk('next-root')
  const added: JwkSet = { keys: [...old.keys, next] }
  const promoted: JwkSet = { keys: [next, ...old.keys] }
  const retired = {
    keys: promoted.keys.filter(({ use, kid }) => use !== 'latchkey:root' || kid === next.kid),
  }
  writeFileSync(site.keyFile.file, JSON.stringify(added))
  await waitUntil(async () => site.auth[0]?.keyring.current.roots.length === 2)
  const steps = { old, added, promoted, retired }
  const sets = Object.entries(steps).map(([name, set]) => [name, createServiceSet(set, 'orders')])
  const urls = await startInstances(t, authUrl, Object.fromEntries(sets))

  const browserOf = (...names: (keyof typeof steps)[]) =>
    new Browser({ [issuer]: [authUrl], [origin]: names.map((name) => urls[name] ?? '') })
  for (const names of [
    ['old', 'added'],
    ['added', 'promoted'],
    ['promoted', 'retired'],
  ] as const) {
    const browser = browserOf(...names)
    await signIn(browser, site.email)
    if (names[0] === 'promoted') await browser.fetch(`${origin}/`)
    for (let n = 0; n < 6; n += 1) {
      t.equal((await browser.fetch(`${origin}/`)).status, 200, names.join(' and '))
    }
  }
  const stale = browserOf('old')
  await signIn(stale, site.email)
  const cookie = `${sessionCookie}=${stale.jar(origin).get(sessionCookie)}`
  const late = await request(`${urls.retired}/`, { headers: { cookie } })
  t.equal(late.status, 401, 'a cookie under a removed key is refused')
})

t.test('a session that no cookie can contain is refused with an explanation', async (t) => {
  const site = await startSite(t)
  const roles = Array.from({ length: 150 }, (_, n) => `role-with-a-long-name-${n}`)
  await site.auth[0]?.db.query('UPDATE users SET roles = $1', [roles])
  const browser = createBrowser(site)
  t.match(await signIn(browser, site.email), { status: 503, text: /session_too_large/ })
  t.notOk(browser.jar(origin).has(sessionCookie))
})

t.test('an app below a path keeps its cookies and its addresses below it', async (t) => {
  const site = await startSite(t)
  const [authUrl = ''] = site.authUrls
  const [auth] = site.auth
  const baseUrl = 'https://example.com/orders'
  const redirect_uris = [`${baseUrl}/auth/callback`]
  if (auth) await addClient(auth, 'orders', { redirect_uris, audiences: ['orders'] })
  const app = await startApp(t, site.keyFile.exportFor('orders'), { authUrl, web: { baseUrl } })
  const url = await listen(app)
  const html = { accept: 'text/html' }
  const first = await request(`${url}/deep/page`, { headers: html })
  t.equal(first.fields.get('location'), `${baseUrl}/auth/login?returnTo=%2Fdeep%2Fpage`)
  const login = await request(`${url}/auth/login?returnTo=/deep/page`)
  t.match(login.fields.getSetCookie(), [/^__Secure-orders-login-[^;]*; Path=\/orders; HttpOnly/])
  for (const trick of ['/../billing', '/../orders-of-evil', '/..', '//orders']) {
    const begun = await request(`${url}/auth/login?returnTo=${trick}`)
    const callback = new URL(begun.fields.get('location') ?? '').searchParams
    const state = callback.get('state') ?? ''
    const cookie = begun.fields.getSetCookie().join().split(';')[0] ?? ''
    const page = await request(`${url}/auth/callback?state=${state}&error=x&iss=${issuer}`, {
      headers: { cookie, ...html },
    })
    t.match(page.text, `href="${baseUrl}/auth/login?returnTo=%2F"`, trick)
  }
})

t.test('refuses options that cannot work', async (t) => {
  const site = await startSite(t)
  const file = site.keyFile.exportFor('orders')
  const start = (web: object): Promise<FastifyInstance> =>
    startApp(t, file, { authUrl: site.authUrls[0] ?? '', web })
  // biome-ignore format: a table
  const mistakes: [options: object, message: RegExp][] = [
    [{ clientId: 'a b' }, /clientId must be/],
    [{ clientId: 'billing' }, /keys must be those of the client billing; they are those of orders/],
    [{ keys: { file: site.keyFile.file } }, /without a key of a service/],
    [{ keys: { file: 'none.json' } }, /cannot be read/],
    [{ issuer: 'sso' }, /issuer must be an http/],
    [{ issuer: 'http://sso.example.com' }, /issuer must begin with https/],
    [{ authUrl: 'http://auth.example.com' }, /authUrl must begin with https/],
    [{ authUrl: 'https://x@auth.example.com' }, /authUrl must be an http/],
    [{ baseUrl: `${origin}/?x` }, /baseUrl must be an http/],
    [{ baseUrl: 'http://orders.example.com' }, /baseUrl must begin with https/],
    [{ verifier: {} }, /verifier must be/],
  ]
  for (const [options, message] of mistakes) await t.rejects(start(options), { message })
  for (const host of ['auth:3000', 'auth.latchkey.svc', '10.0.0.7', '[fd00::1]', '172.20.0.1:80']) {
    await t.resolves(start({ authUrl: `http://${host}` }), host)
  }
  for (const host of ['172.32.0.1', '[2001:db8::1]', 'auth.internal.example', '8.8.8.8']) {
    await t.rejects(start({ authUrl: `http://${host}` }), { message: /https/ }, host)
  }
  await t.resolves(start({ baseUrl: 'http://orders.localhost:8080' }))
})
