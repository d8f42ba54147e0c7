import { authAudience } from '@latchkey/verify'
import t, { type Test } from 'tap'
import {
  addClient,
  answerOf,
  authorizeParameters,
  basic,
  createPkce,
  locationOf,
  postOAuth,
  redeem,
  signIn,
  TestBrowser,
} from './oauth-support.ts'
import {
  as,
  assertAs,
  claimsOf,
  createConfig,
  issuer,
  refresh,
  register,
  startAuth,
  startInstance,
} from './support.ts'

/** Three instances of one auth service. */
async function startThree(t: Test) {
  const config = await createConfig(t)
  return [
    await startInstance(t, config),
    await startInstance(t, { ...config, LATCHKEY_INSTANCE: 'auth-2' }),
    await startInstance(t, { ...config, LATCHKEY_INSTANCE: 'auth-3' }),
  ] as const
}

t.test('a person logs in once, and every app gets tokens of its own', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  await addClient(app, 'orders', { audiences: ['orders'], scope: 'orders:read admin:all' })
  await addClient(app, 'billing', { audiences: ['billing', 'orders'] })
  const { browser, tokens } = await signIn(app, email)
  t.match(tokens, { token_type: 'Bearer', expires_in: 900, scope: 'orders:read' })
  const claims = claimsOf(tokens.access_token)
  t.match(claims, {
    iss: issuer,
    aud: ['orders'],
    client_id: 'orders',
    scope: 'orders:read',
    amr: ['pwd'],
  })
  t.ok(Math.abs(claims.auth_time - Date.now() / 1_000) < 60)

  const { verifier, challenge } = createPkce()
  const silent = await browser.authorize(authorizeParameters(challenge, 'billing'))
  t.match(answerOf(silent), { state: 'state-1', iss: issuer })
  const second = await redeem(app, answerOf(silent).code, verifier, 'billing')
  const other = claimsOf(second.json().access_token)
  t.match(other, { sub: claims.sub, aud: ['billing', 'orders'], client_id: 'billing' })
  t.not(other.sid, claims.sid)
})

t.test('every step of a login may be answered by another instance', async (t) => {
  const instances = await startThree(t)
  const email = await register(instances[0])
  await addClient(instances[0], 'orders')
  const browser = new TestBrowser(...instances)
  const { verifier, challenge } = createPkce()
  const redirect = await browser.authorize(authorizeParameters(challenge))
  t.equal((await browser.open(`/oauth/${locationOf(redirect)}`)).statusCode, 200)
  const answer = answerOf(await browser.logIn(redirect, email))
  t.equal((await redeem(instances[1], answer.code, verifier)).statusCode, 200)
})

t.test('of 200 parallel redemptions of one code one succeeds, and its session ends', async (t) => {
  const instances = await startThree(t)
  const [app] = instances
  const email = await register(app)
  await addClient(app, 'orders')
  const { verifier, challenge } = createPkce()
  const browser = new TestBrowser(app)
  const redirect = await browser.authorize(authorizeParameters(challenge))
  const { code } = answerOf(await browser.logIn(redirect, email))
  const replies = await Promise.all(
    Array.from({ length: 200 }, (_, index) =>
      redeem(instances[index % 3] as typeof app, code, verifier),
    ),
  )
  const [winner, ...others] = replies.filter(({ statusCode }) => statusCode === 200)
  t.equal(others.length, 0)
  // On a busy machine, some wait too long for a connection of the pool.
  const refusals = replies.filter((reply) => reply !== winner).map((reply) => reply.json().error)
  t.strictSame(
    refusals.filter((error) => !['invalid_grant', 'temporarily_unavailable'].includes(error)),
    [],
  )
  t.ok(refusals.includes('invalid_grant'))
  const refresh_token = winner?.json().refresh_token
  const late = await postOAuth(
    app,
    'token',
    { grant_type: 'refresh_token', refresh_token },
    basic(app, 'orders'),
  )
  t.match(late.json(), { error: 'invalid_grant' })
  // The browser's own session stays open.
  t.ok(answerOf(await browser.authorize(authorizeParameters(challenge))).code)
})

t.test('the refresh token of an app is of use to that app alone, and only there', async (t) => {
  const app = await startAuth(t)
  await addClient(app, 'orders')
  await addClient(app, 'billing')
  const { tokens } = await signIn(app, await register(app))
  const { refresh_token } = tokens
  t.match((await refresh(app, refresh_token)).json(), { code: 'refresh_token_invalid' })
  const fields = { grant_type: 'refresh_token', refresh_token }
  const stranger = await postOAuth(app, 'token', fields, basic(app, 'billing'))
  t.match(stranger.json(), { error: 'invalid_grant' })
  const reply = await postOAuth(app, 'token', fields, basic(app, 'orders'))
  t.equal(claimsOf(reply.json().access_token).sid, claimsOf(tokens.access_token).sid)
  t.equal(claimsOf(reply.json().access_token).auth_time, claimsOf(tokens.access_token).auth_time)
  const again = await postOAuth(app, 'token', fields, basic(app, 'orders'))
  t.equal(again.json().refresh_token, reply.json().refresh_token, 'racers get one successor')
})

t.test('logging out at auth ends every app of the browser, and no other session', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  await addClient(app, 'orders', { audiences: [authAudience, 'orders'] })
  const here = await signIn(app, email)
  const there = await signIn(app, email)
  const isOpen = async (token: string) => (await as(app, token, 'GET', '/v1/me')).statusCode === 200
  t.ok(await isOpen(here.tokens.access_token))
  t.equal((await here.browser.open('/logout')).statusCode, 200)
  t.ok(await isOpen(here.tokens.access_token), 'a link ends nothing')
  t.equal((await here.browser.submit('/logout', {})).statusCode, 200)
  t.notOk(await isOpen(here.tokens.access_token))
  t.ok(await isOpen(there.tokens.access_token))
  t.equal(here.browser.cookies.size, 0)
  t.match(
    locationOf(await here.browser.authorize(authorizeParameters(createPkce().challenge))),
    /login/,
  )
})

t.test('the token of an app cannot administrate, even for an admin', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  await addClient(app, 'orders', { audiences: [authAudience] })
  await app.db.query(`UPDATE users SET roles = '{admin}' WHERE email = $1`, [email])
  const { tokens } = await signIn(app, email)
  t.equal((await as(app, tokens.access_token, 'GET', '/v1/me')).statusCode, 200)
  const reply = await as(app, tokens.access_token, 'GET', '/v1/admin/users')
  t.match(reply.json(), { status: 403, code: 'app_forbidden' })
})

t.test('registers redirect URIs that only the app can receive', async (t) => {
  const app = await startAuth(t)
  const put = async (kind: string, uri: string) => {
    const body = { kind, redirect_uris: [uri], audiences: ['orders'], scope: '' }
    return as(app, await assertAs(app, 'operator'), 'PUT', '/v1/admin/clients/shop', body)
  }
  for (const [kind, uri] of [
    ['confidential', 'https://shop.example.com/callback?from=latchkey'],
    ['confidential', 'http://shop.localhost:8080/callback'],
    ['public', 'http://127.0.0.1/callback'],
    ['public', 'com.example.shop:/callback'],
  ] as const) {
    t.equal((await put(kind, uri)).statusCode, 200, uri)
  }
  for (const [kind, uri] of [
    ['confidential', 'http://shop.example.com/callback'],
    ['confidential', 'com.example.shop:/callback'],
    ['public', 'shop:/callback'],
    ['public', 'javascript:alert(1)'],
    ['public', 'https:shop.example.com/callback'],
    ['public', 'https:///shop.example.com/callback'],
    ['public', 'https://ada@shop.example.com/callback'],
    ['public', 'https://*.example.com/callback'],
    ['public', 'https://shop.example.com/callback#part'],
    ['public', '/callback'],
  ] as const) {
    t.match((await put(kind, uri)).json(), { status: 400, code: 'invalid_request' }, uri)
  }
})
