import type { Service } from '@latchkey/service-kit'
import t from 'tap'
import { oracleSecret, startOracle } from './oauth-oracle.ts'
import {
  addClient,
  answerOf,
  authorizeParameters,
  callback,
  createPkce,
  secretOf,
  TestBrowser,
} from './oauth-support.ts'
import { register, startAuth } from './support.ts'

const resource = 'https://orders.example.com'
const form = 'application/x-www-form-urlencoded'

/** A request with some parameters replaced; `null` leaves one out, a list repeats it. */
type Changes = Readonly<Record<string, string | string[] | null>>

function change(parameters: Readonly<Record<string, string>>, changes: Changes): URLSearchParams {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries({ ...parameters, ...changes })) {
    for (const one of value === null ? [] : [value].flat()) query.append(name, one)
  }
  return query
}

interface Case {
  name: string
  changes: Changes
  /** Why Latchkey answers otherwise than `oidc-provider`, and how. */
  otherwise?: [answer: string, reason: string]
}

const cases = (list: [name: string, changes: Changes, otherwise?: Case['otherwise']][]): Case[] =>
  list.map(([name, changes, otherwise]) => ({ name, changes, ...(otherwise && { otherwise }) }))

const authorizations = cases([
  ['a right request', {}],
  ['without a client', { client_id: null }],
  ['with an empty client', { client_id: '' }],
  ['with an unknown client', { client_id: 'nobody' }],
  ['with two clients', { client_id: ['orders', 'billing'] }],
  ['without a redirect URI', { redirect_uri: null }],
  ['with an empty redirect URI', { redirect_uri: '' }],
  ['with two redirect URIs', { redirect_uri: [callback, 'https://evil.example'] }],
  ['with an unregistered redirect URI', { redirect_uri: 'https://evil.example/callback' }],
  ['with another path', { redirect_uri: 'https://orders.example.com/other' }],
  ['with a trailing slash', { redirect_uri: `${callback}/` }],
  ['with a query string', { redirect_uri: `${callback}?next=/` }],
  ['with a fragment', { redirect_uri: `${callback}#x` }],
  ['with an upper-case host', { redirect_uri: callback.replace('orders.', 'ORDERS.') }],
  ['with a user name', { redirect_uri: callback.replace('//', '//evil@') }],
  ['with a host in front', { redirect_uri: callback.replace('//', '//evil.example\\@') }],
  ['with a host behind', { redirect_uri: callback.replace('.com', '.com.evil.example') }],
  ['with another port', { redirect_uri: callback.replace('.com', '.com:8443') }],
  ['with the default port', { redirect_uri: callback.replace('.com', '.com:443') }],
  ['with http', { redirect_uri: callback.replace('https', 'http') }],
  ['with a path that goes up', { redirect_uri: callback.replace('/auth', '/x/../auth') }],
  ['with an encoded path', { redirect_uri: callback.replace('auth', '%61uth') }],
  ['with a script', { redirect_uri: 'javascript:alert(1)' }],
  ['without a response type', { response_type: null }],
  ['with the response type token', { response_type: 'token' }],
  [
    'with the response type id_token',
    { response_type: 'id_token' },
    ['app unsupported_response_type', 'the server has no such type, whatever else is wrong'],
  ],
  ['with the response type code token', { response_type: 'code token' }],
  ['with an unknown response type', { response_type: 'cookie' }],
  ['with two response types', { response_type: ['code', 'code'] }],
  ['with response mode query', { response_mode: 'query' }],
  [
    'with response mode fragment',
    { response_mode: 'fragment' },
    ['app unsupported_response_mode', 'a fragment is for scripts, and codes are for servers'],
  ],
  [
    'with response mode form_post',
    { response_mode: 'form_post' },
    [
      'app unsupported_response_mode',
      'the form would need a script, and a cookie that other sites get',
    ],
  ],
  ['with an unknown response mode', { response_mode: 'pigeon' }],
  ['without a challenge', { code_challenge: null, code_challenge_method: null }],
  ['with an empty challenge', { code_challenge: '' }],
  ['with a plain challenge', { code_challenge_method: 'plain' }],
  ['without a challenge method', { code_challenge_method: null }],
  ['with an unknown challenge method', { code_challenge_method: 'S512' }],
  ['with a short challenge', { code_challenge: 'abc' }],
  ['with a long challenge', { code_challenge: 'a'.repeat(129) }],
  ['with a challenge of other characters', { code_challenge: '+'.repeat(43) }],
  ['with two challenges', { code_challenge: ['a'.repeat(43), 'b'.repeat(43)] }],
  ['with two challenge methods', { code_challenge_method: ['S256', 'S256'] }],
  [
    'with an unknown scope',
    { scope: 'openid admin:all' },
    ['app invalid_scope', 'a client that asks for more than it may have is told so'],
  ],
  ['with two scopes', { scope: ['openid', 'email'] }],
  ['with two states', { state: ['a', 'b'] }],
  ['with an empty state', { state: '' }],
  ['with two nonces', { nonce: ['a', 'b'] }],
  ['with prompt none', { prompt: 'none' }],
  ['with prompt login', { prompt: 'login' }],
  ['with prompt consent', { prompt: 'consent' }],
  ['with prompt none and login', { prompt: 'none login' }],
  ['with an unknown prompt', { prompt: 'nicely' }],
  ['with two prompts', { prompt: ['login', 'login'] }],
  ['with max_age 0', { max_age: '0' }],
  ['with a max_age that is not a number', { max_age: 'soon' }],
  ['with a negative max_age', { max_age: '-1' }],
  ['with a fraction as max_age', { max_age: '1.5' }],
  ['with two max_age', { max_age: ['1', '2'] }],
  ['with two login hints', { login_hint: ['a', 'b'] }],
  ['with a request object', { request: 'eyJhbGciOiJub25lIn0.e30.' }],
  ['with the URI of a request object', { request_uri: 'https://evil.example/request' }],
  ['with a registration', { registration: '{}' }],
  ['with a resource', { resource }],
  ['with an unknown resource', { resource: 'https://evil.example' }],
  ['with a resource that is not a URI', { resource: 'evil' }],
  ['with a known and an unknown resource', { resource: [resource, 'https://evil.example'] }],
  ['with an unknown parameter', { utm_source: 'mail' }],
])

/** What became of an authorization request: a page, the login, or the app with an error. */
function describeAuthorization({ status, location }: { status: number; location: string | null }) {
  if (location === null) return `page ${status}`
  if (!location.startsWith(callback)) return 'login'
  // A server that supports other response types answers them in the fragment.
  const { searchParams, hash } = new URL(location)
  const error = searchParams.get('error') ?? new URLSearchParams(hash.slice(1)).get('error')
  return `app ${error ?? 'code'}`
}

t.test('answers wrong authorization requests as oidc-provider does', async (t) => {
  const oracle = await startOracle(t)
  const app = await startAuth(t)
  await addClients(app)
  const right = {
    ...authorizeParameters(createPkce().challenge),
    scope: 'openid',
  }
  for (const { name, changes, otherwise } of authorizations) {
    const query = change(right, changes)
    const theirs = await fetch(`${oracle}/auth?${query}`, { redirect: 'manual' })
    const expected = describeAuthorization({
      status: theirs.status,
      location: theirs.headers.get('location'),
    })
    const ours = await app.inject(`/oauth/authorize?${query}`)
    const location = ours.headers.location ?? null
    const actual = describeAuthorization({ status: ours.statusCode, location })
    if (otherwise) t.not(actual, expected, `${name}: differs`)
    t.equal(actual, otherwise?.[0] ?? expected, `${name}${otherwise ? `: ${otherwise[1]}` : ''}`)
    if (actual.startsWith('app')) t.equal(answerOf(ours).iss, app.config.LATCHKEY_ISSUER)
  }
})

/** A right token request, at either server. */
interface TokenServer {
  send(
    query: URLSearchParams,
    init: { authorization: string | null; type: string },
  ): Promise<string>
  issueCode(): Promise<string>
  secretOf: (id: string) => string
}

/** RFC 6749 section 5.2 names these as examples of it. */
const invalidClient: Case['otherwise'] = ['401 invalid_client', 'RFC 6749 section 5.2']

interface TokenCase extends Case {
  /** The Authorization header; `null`: none. */
  authorization?: ((secretOf: TokenServer['secretOf']) => string | null) | undefined
  /** What comes before the request: the code has been used, or a refresh token is asked for. */
  before?: 'redeem' | undefined
  type?: string
}

const basicOf = (id: string, secret: string) =>
  `Basic ${Buffer.from(`${id}:${encodeURIComponent(secret)}`).toString('base64')}`

const tokenCases: TokenCase[] = [
  ...cases([
    ['a right request', {}],
    ['without a grant type', { grant_type: null }],
    ['with an empty grant type', { grant_type: '' }],
    ['with an unknown grant type', { grant_type: 'cookie' }],
    ['with a password', { grant_type: 'password', username: 'ada', password: 'x' }],
    ['with two grant types', { grant_type: ['authorization_code', 'refresh_token'] }],
    ['without a code', { code: null }],
    ['with an unknown code', { code: 'a'.repeat(43) }],
    ['with two codes', { code: ['a', 'b'] }],
    ['without a redirect URI', { redirect_uri: null }],
    ['with another redirect URI', { redirect_uri: 'https://evil.example/' }],
    ['without a verifier', { code_verifier: null }],
    ['with a wrong verifier', { code_verifier: 'a'.repeat(43) }],
    ['with a short verifier', { code_verifier: 'abc' }],
    ['with a long verifier', { code_verifier: 'a'.repeat(129) }],
    ['with a verifier of other characters', { code_verifier: '+'.repeat(43) }],
    ['with two verifiers', { code_verifier: ['a'.repeat(43), 'b'.repeat(43)] }],
    ['without a refresh token', { grant_type: 'refresh_token' }],
    ['with an unknown refresh token', { grant_type: 'refresh_token', refresh_token: 'x' }],
    ['with two refresh tokens', { grant_type: 'refresh_token', refresh_token: ['x', 'y'] }],
    ['with an unknown resource', { resource: 'https://evil.example' }],
    ['with an unknown parameter', { utm_source: 'mail' }],
    ['with another client in the body', { client_id: 'billing' }],
    ['with its client in the body', { client_id: 'orders' }],
    ['with an unknown assertion type', { client_assertion: 'x', client_assertion_type: 'y' }],
  ]),
  { name: 'with a used code', changes: {}, before: 'redeem' },
  {
    name: 'with the code of another client',
    changes: {},
    authorization: (secretOf) => basicOf('billing', secretOf('billing')),
  },
  { name: 'with a wrong secret', changes: {}, authorization: () => basicOf('orders', 'x') },
  { name: 'as an unknown client', changes: {}, authorization: () => basicOf('who', 'x') },
  {
    name: 'without authentication',
    changes: {},
    authorization: () => null,
    otherwise: invalidClient,
  },
  {
    name: 'by its name alone',
    changes: { client_id: 'orders' },
    authorization: () => null,
  },
  {
    name: 'with an empty secret',
    changes: {},
    authorization: () => basicOf('orders', ''),
    otherwise: invalidClient,
  },
  {
    name: 'with a malformed header',
    changes: {},
    authorization: () => 'Basic ???',
    otherwise: invalidClient,
  },
  {
    name: 'with a Bearer token',
    changes: {},
    authorization: () => 'Bearer x',
    otherwise: invalidClient,
  },
  {
    name: 'with an assertion that is none',
    changes: {
      client_assertion: 'x.y.z',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    },
    authorization: () => null,
    otherwise: invalidClient,
  },
  {
    name: 'as JSON',
    changes: {},
    type: 'application/json',
    otherwise: ['415 invalid_request', 'HTTP has a status for it'],
  },
]

t.test('answers wrong token requests as oidc-provider does', async (t) => {
  const pkce = createPkce()
  const servers = [
    await startTheirs(t, pkce.challenge),
    await startOurs(t, pkce.challenge),
  ] as const
  for (const { name, changes, authorization, before, type = form, otherwise } of tokenCases) {
    const [expected, actual] = await Promise.all(
      servers.map(async (server) => {
        const right = {
          grant_type: 'authorization_code',
          code: await server.issueCode(),
          redirect_uri: callback,
          code_verifier: pkce.verifier,
        }
        const own = basicOf('orders', server.secretOf('orders'))
        if (before) await server.send(change(right, {}), { authorization: own, type: form })
        const chosen = authorization === undefined ? own : authorization(server.secretOf)
        return server.send(change(right, changes), { authorization: chosen, type })
      }),
    )
    if (otherwise) t.not(actual, expected, `${name}: differs`)
    t.equal(actual, otherwise?.[0] ?? expected, `${name}${otherwise ? `: ${otherwise[1]}` : ''}`)
  }
})

/** The status of a token reply, and its error. */
const describeTokens = (status: number, { error }: { error?: string }) =>
  `${status} ${error ?? 'tokens'}`

async function startTheirs(t: Parameters<typeof startOracle>[0], challenge: string) {
  const url = await startOracle(t)
  const query = new URLSearchParams({ ...authorizeParameters(challenge), scope: 'openid' })
  return {
    secretOf: () => oracleSecret,
    async send(body, { authorization, type }) {
      const reply = await fetch(`${url}/token`, {
        method: 'POST',
        headers: { 'content-type': type, ...(authorization && { authorization }) },
        body: body.toString(),
      })
      return describeTokens(reply.status, (await reply.json()) as object)
    },
    /** Follows all redirects with the cookies, until one leads to the app. */
    async issueCode() {
      const cookies = new Map<string, string>()
      let location = `${url}/auth?${query}`
      while (!location.startsWith(callback)) {
        const cookie = [...cookies].map((pair) => pair.join('=')).join('; ')
        const reply = await fetch(location, { redirect: 'manual', headers: { cookie } })
        for (const line of reply.headers.getSetCookie()) {
          const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
          cookies.set(name, value)
        }
        location = new URL(reply.headers.get('location') ?? '', location).href
      }
      return new URL(location).searchParams.get('code') ?? ''
    },
  } satisfies TokenServer
}

async function startOurs(t: Parameters<typeof startAuth>[0], challenge: string) {
  const app = await startAuth(t)
  await addClients(app)
  const email = await register(app)
  const browser = new TestBrowser(app)
  const parameters = { ...authorizeParameters(challenge), scope: 'openid' }
  await browser.logIn(await browser.authorize(parameters), email)
  return {
    secretOf: (id) => secretOf(app, id),
    async send(payload, { authorization, type }) {
      const reply = await app.inject({
        method: 'POST',
        url: '/oauth/token',
        headers: { 'content-type': type, ...(authorization && { authorization }) },
        payload: payload.toString(),
      })
      return describeTokens(reply.statusCode, reply.json())
    },
    issueCode: async () => answerOf(await browser.authorize(parameters)).code ?? '',
  } satisfies TokenServer
}

/** The same clients as the oracle has. */
async function addClients(app: Service): Promise<void> {
  for (const id of ['orders', 'billing']) {
    await addClient(app, id, { scope: 'openid profile email', audiences: [resource] })
  }
}
