import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import {
  addClient,
  answerOf,
  authorizeParameters,
  basic,
  callback,
  createPkce,
  locationOf,
  postOAuth,
  redeem,
  signIn,
  TestBrowser,
} from './oauth-support.ts'
import { postForm } from './pages-support.ts'
import {
  as,
  assertAs,
  claimsOf,
  issuer,
  login,
  password,
  register,
  startAuth,
  startInstance,
  startProcess,
} from './support.ts'

const goodbye = 'https://orders.example.com/goodbye'

/** The sealed request in a redirect to the login page. */
const sealedIn = (location: string) =>
  new URL(location, `${issuer}/oauth/`).searchParams.get('request') ?? ''

t.test('a loopback redirect URI may differ in its port alone', async (t) => {
  const app = await startAuth(t)
  const redirect_uris = ['http://127.0.0.1/cb', 'http://[::1]/cb', 'com.example.app:/cb']
  await addClient(app, 'native', { kind: 'public', redirect_uris })
  const open = (uri: string) => {
    const parameters = authorizeParameters(createPkce().challenge, 'native')
    return new TestBrowser(app).authorize({ ...parameters, redirect_uri: uri })
  }
  for (const uri of [...redirect_uris, 'http://127.0.0.1:49152/cb', 'http://[::1]:1/cb']) {
    t.match(locationOf(await open(uri)), '../login', uri)
  }
  for (const uri of [
    'http://127.0.0.1:80@evil.example/cb',
    'http://127.0.0.1@evil.example/cb',
    'http://127.0.0.1.evil.example/cb',
    'http://127.0.0.1%2f@evil.example/cb',
    'http://127.0.0.1\\@evil.example/cb',
    'http://127.0.0.1:0/cb',
    'http://127.0.0.1:65536/cb',
    'http://127.0.0.1:/cb',
    'http://127.0.0.1:80:80/cb',
    'http://127.0.0.1:٨٠/cb',
    'http://127.1/cb',
    'http://2130706433/cb',
    'http://localhost/cb',
    'HTTP://127.0.0.1/cb',
    'https://127.0.0.1/cb',
    'http://[0:0:0:0:0:0:0:1]/cb',
    'http://[::ffff:127.0.0.1]/cb',
    'http://127.0.0.1:49152/cb/',
    'http://127.0.0.1:49152/CB',
    'http://127.0.0.1:49152/cb?x=1',
    'http://127.0.0.1:49152/cb#x',
    'http://127.0.0.1:49152/cb\r\nX: 1',
    'COM.example.app:/cb',
    'com.example.app://evil.example/cb',
  ]) {
    const reply = await open(uri)
    t.equal(reply.statusCode, 400, uri)
    t.match(reply.body, 'redirect_uri_unregistered', uri)
  }
})

t.test('no other site can log a browser in or out', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  await addClient(app, 'orders')
  const { browser } = await signIn(app, email)
  const cookie = `__Host-latchkey=${browser.cookies.get('__Host-latchkey')}`
  const host = { host: 'evil.example', 'x-forwarded-host': 'evil.example' }
  for (const headers of [
    {},
    { origin: 'null' },
    { origin: 'https://evil.example' },
    { origin: `${issuer}:8443` },
    { origin: 'http://sso.example.com' },
    { origin: 'https://evil.example', ...host },
    { 'sec-fetch-site': 'same-site', origin: issuer },
    { 'sec-fetch-site': 'cross-site', origin: issuer },
    { 'sec-fetch-site': 'none' },
    { 'sec-fetch-site': 'same-origin, cross-site' },
  ] as Record<string, string>[]) {
    for (const [url, fields] of [
      ['/login', { email, password }],
      ['/logout', {}],
    ] as const) {
      const reply = await postForm(app, url, fields, { cookie, ...headers })
      t.equal(reply.statusCode, 403, `${url} ${JSON.stringify(headers)}`)
      t.notOk(reply.headers['set-cookie'])
    }
  }
  const { challenge } = createPkce()
  const reply = await browser.authorize({ ...authorizeParameters(challenge), prompt: 'none' })
  t.ok(answerOf(reply).code)
})

t.test('no text of a request becomes a part of a page', async (t) => {
  const app = await startAuth(t)
  await addClient(app, 'orders', { post_logout_uris: [goodbye] })
  const { browser } = await signIn(app, await register(app))
  const evil = `'"><script>alert(1)</script><p a=`
  const query = new URLSearchParams({
    ...authorizeParameters(createPkce().challenge),
    prompt: 'login',
  })
  query.set('login_hint', evil)
  query.set('state', evil)
  const redirect = await browser.open(`/oauth/authorize?${query}`)
  const leave = {
    client_id: 'orders',
    post_logout_redirect_uri: goodbye,
    state: evil,
    [evil]: evil,
  }
  for (const url of [
    `/oauth/${locationOf(redirect)}`,
    `/login?request=${encodeURIComponent(evil)}`,
    `/logout?${new URLSearchParams(leave)}`,
    `/oauth/authorize?client_id=${encodeURIComponent(evil)}`,
  ]) {
    const { body, headers } = await browser.open(url)
    t.notMatch(body, '<script', url)
    t.notMatch(body, `'"`, url)
    t.match(headers, { 'x-frame-options': 'DENY' })
    const policy = String(headers['content-security-policy'])
    t.match(policy, /default-src 'none'.*form-action 'self'( https:)?; frame-ancestors 'none'/)
  }
})

t.test('a login that began before a client changed gives it nothing more', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const before = { post_logout_uris: [goodbye], scope: 'openid orders:read' }
  await addClient(app, 'orders', before)
  const browser = new TestBrowser(app)
  const { challenge } = createPkce()
  const begun = await browser.authorize({ ...authorizeParameters(challenge), scope: before.scope })
  const opened = await signIn(app, email)
  const renew = () =>
    postOAuth(
      app,
      'token',
      { grant_type: 'refresh_token', refresh_token: opened.tokens.refresh_token },
      basic(app, 'orders'),
    )

  await addClient(app, 'orders', { redirect_uris: ['https://orders.example.com/new'] })
  t.match((await browser.logIn(begun, email)).body, 'redirect_uri_unregistered')
  await addClient(app, 'orders', { ...before, scope: 'openid', audiences: ['orders'] })
  t.match((await browser.logIn(begun, email)).body, 'This login has expired')
  const renewed = (await renew()).json()
  t.match(claimsOf(renewed.access_token), { aud: ['orders'], scope: '' })
  await addClient(app, 'orders', before)
  const operator = await assertAs(app, 'operator')
  await as(app, operator, 'PATCH', '/v1/admin/clients/orders', { disabled: true })
  t.match((await browser.logIn(begun, email)).body, 'client_unknown')
  t.match((await renew()).json(), { error: 'invalid_client' })
  const query = new URLSearchParams({ client_id: 'orders', post_logout_redirect_uri: goodbye })
  t.match((await browser.open(`/logout?${query}`)).body, 'redirect_uri_unregistered')
})

t.test('a cookie from before a login is of no use, nor are the apps of its user', async (t) => {
  const app = await startAuth(t)
  const [thief, owner] = [await register(app), await register(app)]
  await addClient(app, 'orders')
  const planted = await signIn(app, thief)
  const old = new TestBrowser(app)
  for (const [name, value] of planted.browser.cookies) old.cookies.set(name, value)
  const { challenge } = createPkce()
  const again = { ...authorizeParameters(challenge), prompt: 'login' }
  await planted.browser.logIn(await planted.browser.authorize(again), owner)
  const silent = { ...authorizeParameters(challenge), prompt: 'none' }
  t.match(answerOf(await old.authorize(silent)), { error: 'login_required' })
  const fields = { grant_type: 'refresh_token', refresh_token: planted.tokens.refresh_token }
  t.match((await postOAuth(app, 'token', fields, basic(app, 'orders'))).json(), {
    error: 'invalid_grant',
  })
})

t.test('a login does not revive the codes of a session that has ended', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  await addClient(app, 'orders')
  const { browser } = await signIn(app, email)
  const { verifier, challenge } = createPkce()
  const stolen = answerOf(await browser.authorize(authorizeParameters(challenge)))
  const { access_token } = await login(app, email)
  t.equal((await as(app, access_token, 'DELETE', '/v1/sessions')).statusCode, 204)
  await browser.logIn(await browser.authorize(authorizeParameters(challenge)), email)
  t.match((await redeem(app, stolen.code, verifier)).json(), { error: 'invalid_grant' })
})

t.test('the log contains no code, token, cookie or sealed request', async (t) => {
  const { log, url, config } = await startProcess(t, { LATCHKEY_LOG_LEVEL: 'trace' })
  const app = await startInstance(t, { ...config, LATCHKEY_INSTANCE: 'auth-2' })
  const email = await register(app)
  await addClient(app, 'orders')
  const { verifier, challenge } = createPkce()
  const query = new URLSearchParams({ ...authorizeParameters(challenge), nonce: 'nonce-1' })
  const redirect = await fetch(`${url}/oauth/authorize?${query}`, { redirect: 'manual' })
  const request = sealedIn(redirect.headers.get('location') ?? '')
  await fetch(`${url}/login?${new URLSearchParams({ request })}`)
  const reply = await fetch(`${url}/login`, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'sec-fetch-site': 'same-origin' },
    body: new URLSearchParams({ email, password, request }),
  })
  const code = new URL(reply.headers.get('location') ?? '').searchParams.get('code') ?? ''
  const cookie = reply.headers.getSetCookie()[0] ?? ''
  const secret = basic(app, 'orders').authorization
  const fields = { grant_type: 'authorization_code', code, code_verifier: verifier }
  const send = async () => {
    const answer = await fetch(`${url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: secret },
      body: new URLSearchParams({ ...fields, redirect_uri: callback }),
    })
    return answer.json()
  }
  const tokens = (await send()) as Record<string, string>
  t.match(await send(), { error: 'invalid_grant' })
  while (!log().includes('authorization code reused')) await sleep(20)
  const secrets = [code, verifier, challenge, request, secret, password, 'nonce-1', email]
  const values = [tokens.access_token, tokens.refresh_token, /lkb_[\w-]+/.exec(cookie)?.[0]]
  for (const text of [...secrets, ...values]) t.notMatch(log(), text ?? 'nothing to look for')
  t.equal(new Set(secrets.concat(values.map(String))).size, 11)
})
