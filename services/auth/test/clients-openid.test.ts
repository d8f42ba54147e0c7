import { setTimeout as sleep } from 'node:timers/promises'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import t from 'tap'
import { addClient, callback, secretOf, signInAt, startListening } from './oauth-support.ts'
import { claimsOf, register } from './support.ts'

const scope = 'openid email profile orders:read'

t.test('openid-client signs in, refreshes, reads the user, and signs out', async (t) => {
  const { app, issuer } = await startListening(t)
  const email = await register(app)
  const goodbye = 'https://orders.example.com/goodbye'
  await addClient(app, 'orders', { post_logout_uris: [goodbye] })
  const config = await openid.discovery(
    new URL(issuer),
    'orders',
    undefined,
    openid.ClientSecretBasic(secretOf(app, 'orders')),
    { execute: [openid.allowInsecureRequests] },
  )
  const pkceCodeVerifier = openid.randomPKCECodeVerifier()
  const [expectedState, expectedNonce] = [openid.randomState(), openid.randomNonce()]
  const url = openid.buildAuthorizationUrl(config, {
    redirect_uri: callback,
    scope,
    code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    nonce: expectedNonce,
    max_age: '60',
  })
  const { browser, location } = await signInAt(app, url, email)
  const tokens = await openid.authorizationCodeGrant(config, new URL(location), {
    pkceCodeVerifier,
    expectedState,
    expectedNonce,
    maxAge: 60,
    idTokenExpected: true,
  })
  const claims = tokens.claims()
  t.match(claims, { iss: issuer, aud: 'orders', email, email_verified: false, amr: ['pwd'] })
  t.match(claimsOf(tokens.access_token), { sid: claims?.sid, sub: claims?.sub })
  const user = await openid.fetchUserInfo(config, tokens.access_token, claims?.sub ?? '')
  t.strictSame(user, { sub: claims?.sub, email, email_verified: false, roles: [] })

  const next = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '')
  t.match(claimsOf(next.access_token), { sid: claims?.sid, client_id: 'orders' })

  const end = openid.buildEndSessionUrl(config, {
    id_token_hint: tokens.id_token ?? '',
    post_logout_redirect_uri: goodbye,
    state: 'bye',
  })
  t.match((await browser.open(`${end.pathname}${end.search}`)).body, 'Log out')
  const left = await browser.submit('/logout', Object.fromEntries(end.searchParams))
  t.equal(left.headers.location, `${goodbye}?state=bye`)
  await t.rejects(openid.refreshTokenGrant(config, next.refresh_token ?? ''), {
    code: 'OAUTH_RESPONSE_BODY_ERROR',
  })
})

t.test('oauth4webapi signs in a public client, and revokes its tokens', async (t) => {
  const { app, issuer } = await startListening(t)
  const email = await register(app)
  const redirectUri = 'http://127.0.0.1:49152/callback'
  await addClient(app, 'native', {
    kind: 'public',
    redirect_uris: ['http://127.0.0.1/callback'],
    scope,
  })
  const insecure = { [oauth.allowInsecureRequests]: true }
  const discovered = await oauth.discoveryRequest(new URL(issuer), {
    ...insecure,
    algorithm: 'oauth2',
  })
  const server = await oauth.processDiscoveryResponse(new URL(issuer), discovered)
  const client: oauth.Client = { client_id: 'native' }
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const url = new URL(server.authorization_endpoint ?? '')
  url.search = new URLSearchParams({
    client_id: 'native',
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'orders:read',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
  }).toString()
  const { location } = await signInAt(app, url, email)
  // It checks `iss` and `state`.
  const answer = oauth.validateAuthResponse(server, client, new URL(location), state)
  const reply = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    answer,
    redirectUri,
    verifier,
    insecure,
  )
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, reply)
  t.match(claimsOf(tokens.access_token), { client_id: 'native', scope: 'orders:read' })
  t.notHas(tokens, 'id_token')
  const { refresh_token: refreshToken = '' } = tokens
  const revoked = await oauth.revocationRequest(
    server,
    client,
    oauth.None(),
    refreshToken,
    insecure,
  )
  await oauth.processRevocationResponse(revoked)
  await sleep(1)
  const late = await oauth.refreshTokenGrantRequest(
    server,
    client,
    oauth.None(),
    refreshToken,
    insecure,
  )
  t.match(await late.json(), { error: 'invalid_grant' })
})
