import type { Service } from '@latchkey/service-kit'
import type { LightMyRequestResponse } from 'fastify'
import t from 'tap'
import {
  addClient,
  answerOf,
  authorizeParameters,
  basic,
  callback,
  createPkce,
  postOAuth,
  redeem,
  TestBrowser,
} from './oauth-support.ts'
import { as, assertAs, refresh, register, startAuth } from './support.ts'

const second = 'https://orders.example.com/second'
const goodbye = 'https://orders.example.com/goodbye'

/** An admin who is signed in to an app, and all that a thief may have copied. */
async function setStage(app: Service) {
  const email = await register(app)
  await app.db.query(`UPDATE users SET roles = '{admin}' WHERE email = $1`, [email])
  const uris = { redirect_uris: [callback, second], post_logout_uris: [goodbye] }
  await addClient(app, 'orders', { ...uris, audiences: ['orders'] })
  await addClient(app, 'billing')
  await addClient(app, 'native', { kind: 'public', redirect_uris: [callback] })
  const browser = new TestBrowser(app)
  const ask = async () => {
    const { verifier, challenge } = createPkce()
    const parameters = { ...authorizeParameters(challenge), scope: 'openid orders:read' }
    return { verifier, challenge, reply: await browser.authorize(parameters) }
  }
  await browser.logIn((await ask()).reply, email)
  const { verifier, reply } = await ask()
  const tokens = (await redeem(app, answerOf(reply).code, verifier)).json()
  const headersOf = (id: string) => (id === '' ? {} : basic(app, id))

  return {
    app,
    browser,
    tokens,
    ask,
    cookie: browser.cookies.get('__Host-latchkey') ?? '',
    /** Redeems a new code, with a request that is right but for the changes. */
    async spend(changes: Record<string, string>, id = 'orders') {
      const { reply, verifier } = await ask()
      const { code = '' } = answerOf(reply)
      const right = { code, redirect_uri: callback, code_verifier: verifier }
      const fields = { grant_type: 'authorization_code', ...right, ...changes }
      return postOAuth(app, 'token', fields, headersOf(id))
    },
    /** Refreshes as the app, with a request that is right but for the changes. */
    renew(changes: Record<string, string>, id = 'orders') {
      const { refresh_token } = tokens
      const fields = { grant_type: 'refresh_token', refresh_token, ...changes }
      return postOAuth(app, 'token', fields, headersOf(id))
    },
    /** The parameters of a client that authenticates with an assertion. */
    assertion: async (service: string) => ({
      client_assertion: await assertAs(app, service),
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    }),
    /** Asks for a code without a page. */
    browse(cookie: string) {
      const parameters = { ...authorizeParameters(createPkce().challenge), prompt: 'none' }
      const url = `/oauth/authorize?${new URLSearchParams(parameters)}`
      return app.inject({ url, headers: { cookie } })
    },
    leave: (parameters: Record<string, string>) =>
      browser.open(`/logout?${new URLSearchParams(parameters)}`),
  }
}
type Stage = Awaited<ReturnType<typeof setStage>>

/** The status of an answer with its code: of a redirect to an app, of JSON, or of a page. */
function describe({ statusCode, headers, body }: LightMyRequestResponse): string {
  const { location = '' } = headers
  if (location) return `${statusCode} ${new URL(location).searchParams.get('error') ?? location}`
  if (body.startsWith('<')) return `${statusCode} ${/Code: (\w+)/.exec(body)?.[1]}`
  const { code, error } = JSON.parse(body)
  return `${statusCode} ${code ?? error}`
}

type Attack = [
  name: string,
  answer: string,
  attempt: (stage: Stage) => Promise<LightMyRequestResponse>,
]

const ofCodes: Attack[] = [
  [
    'a code with the verifier of another login',
    '400 invalid_grant',
    (s) => s.spend({ code_verifier: createPkce().verifier }),
  ],
  ['a code without a verifier', '400 invalid_grant', (s) => s.spend({ code_verifier: '' })],
  [
    'a challenge as its verifier',
    '400 invalid_grant',
    async ({ app, ask }) => {
      const { reply, challenge } = await ask()
      return redeem(app, answerOf(reply).code, challenge)
    },
  ],
  ['a code at another URI', '400 invalid_grant', (s) => s.spend({ redirect_uri: second })],
  ['a code as another client', '400 invalid_grant', (s) => s.spend({}, 'billing')],
  ['a code as a public client', '400 invalid_grant', (s) => s.spend({ client_id: 'native' }, '')],
  [
    'a refresh token as a code',
    '400 invalid_grant',
    (s) => s.spend({ code: s.tokens.refresh_token }),
  ],
]

const ofClients: Attack[] = [
  ['a client by its name', '401 invalid_client', (s) => s.renew({ client_id: 'orders' }, '')],
  ['a public client with a secret', '401 invalid_client', (s) => s.renew({}, 'native')],
  ['the operator as a client', '401 invalid_client', (s) => s.renew({}, 'operator')],
  ['an ID with an encoded letter', '401 invalid_client', (s) => s.renew({}, '%6frders')],
  ['an ID that is not UTF-8', '401 invalid_client', (s) => s.renew({}, '%ff')],
  [
    'an assertion of the operator',
    '401 invalid_client',
    async (s) => s.renew(await s.assertion('operator'), ''),
  ],
  [
    'an assertion of another service',
    '400 invalid_request',
    async (s) => s.renew({ ...(await s.assertion('billing')), client_id: 'orders' }, ''),
  ],
  [
    'an assertion without its type',
    '400 invalid_request',
    async (s) => s.renew({ ...(await s.assertion('orders')), client_assertion_type: '' }, ''),
  ],
  [
    'an assertion and a secret',
    '400 invalid_request',
    async (s) => s.renew(await s.assertion('orders')),
  ],
  [
    'an access token as an assertion',
    '401 invalid_client',
    async (s) => {
      const { client_assertion_type } = await s.assertion('orders')
      return s.renew({ client_assertion: s.tokens.access_token, client_assertion_type }, '')
    },
  ],
]

const ofTokens: Attack[] = [
  ['a scope that was not granted', '400 invalid_scope', (s) => s.renew({ scope: 'orders:write' })],
  ['an audience of another client', '400 invalid_target', (s) => s.renew({ resource: 'billing' })],
  ['a cookie as a refresh token', '400 invalid_grant', (s) => s.renew({ refresh_token: s.cookie })],
  [
    'the refresh token of an app outside it',
    '401 refresh_token_invalid',
    (s) => refresh(s.app, s.tokens.refresh_token),
  ],
  ['a cookie outside a browser', '401 refresh_token_invalid', (s) => refresh(s.app, s.cookie)],
  [
    'the token of an admin in an app at an admin route',
    '401 token_audience',
    (s) => as(s.app, s.tokens.access_token, 'GET', '/v1/admin/users'),
  ],
  [
    'an ID token as an access token',
    '401 token_algorithm',
    (s) => as(s.app, s.tokens.id_token, 'GET', '/oauth/userinfo'),
  ],
  [
    'an assertion as an access token',
    '401 token_type',
    async (s) => as(s.app, await assertAs(s.app, 'orders'), 'GET', '/oauth/userinfo'),
  ],
]

const ofCookies: Attack[] = [
  [
    'a refresh token as a cookie',
    '303 login_required',
    (s) => s.browse(`__Host-latchkey=${s.tokens.refresh_token}`),
  ],
  [
    'a cookie that a neighbour has doubled',
    '303 login_required',
    (s) => s.browse(`__Host-latchkey=x; __Host-latchkey=${s.cookie}`),
  ],
  [
    'a cookie without the prefix that protects it',
    '303 login_required',
    (s) => s.browse(`latchkey=${s.cookie}; __Secure-latchkey=${s.cookie}`),
  ],
  [
    'a cookie that names another session',
    '303 login_required',
    (s) => s.browse(`__Host-latchkey=${s.cookie.replace(/^lkb_..../, 'lkb_AAAA')}`),
  ],
]

const ofLogouts: Attack[] = [
  [
    'a logout to the address of another app',
    '400 redirect_uri_unregistered',
    (s) => s.leave({ client_id: 'billing', post_logout_redirect_uri: goodbye }),
  ],
  [
    'a logout to a line break',
    '400 redirect_uri_unregistered',
    (s) => s.leave({ client_id: 'orders', post_logout_redirect_uri: `${goodbye}\r\nX: 1` }),
  ],
  [
    'a logout with an access token as its hint',
    '400 redirect_uri_unregistered',
    (s) => s.leave({ id_token_hint: s.tokens.access_token, post_logout_redirect_uri: goodbye }),
  ],
]

t.test('refuses', async (t) => {
  const stage = await setStage(await startAuth(t))
  const attacks = [...ofCodes, ...ofClients, ...ofTokens, ...ofCookies, ...ofLogouts]
  for (const [name, answer, attempt] of attacks) {
    t.equal(describe(await attempt(stage)), answer, name)
  }
  t.equal((await stage.renew({})).statusCode, 200, 'the session of the victim is still open')
})
