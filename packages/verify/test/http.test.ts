import type { RequestListener } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import t, { type Test } from 'tap'
import { latchkey as guardExpress, requires } from '../src/express.ts'
import latchkey from '../src/fastify.ts'
import { createVerifier as createFetchVerifier, type Requirements } from '../src/fetch.ts'
import { createVerifier, type Verifier } from '../src/index.ts'
import { listen as startServer } from './listen.ts'
import { claims, header, key, policy, sign } from './tokens.ts'

const verifier = createVerifier({ ...policy, keys: [key] })
const scopes = ['orders:read', 'orders:write']
const roles = ['admin', 'auditor']

/** Starts a server for one test, with the routes /me, /write (scopes) and /admin (roles). */
type Start = (t: Test, verifier: Verifier) => Promise<number>

async function listen(t: Test, listener: RequestListener): Promise<number> {
  return Number(new URL(await startServer(t, listener)).port)
}

const startFastify: Start = async (t, verifier) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(latchkey, { verifier })
  app.get('/me', async (request) => request.user)
  app.get('/write', { config: { scopes } }, async () => 'written')
  app.get('/admin', { config: { roles } }, async () => 'administered')
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

const startExpress: Start = (t, verifier) => {
  const app = express()
  app.use(guardExpress({ verifier }))
  app.get('/me', (req, res) => void res.json(req.auth))
  app.get('/write', requires({ scopes }), (_req, res) => void res.send('written'))
  app.get('/admin', requires({ roles }), (_req, res) => void res.send('administered'))
  return listen(t, app)
}

const startNode: Start = (t, verifier) => {
  const guard = guardExpress({ verifier })
  const routes: Record<string, ReturnType<typeof requires>> = {
    '/me': (req, res) => res.end(JSON.stringify(req.auth)),
    '/write': (req, res) => requires({ scopes })(req, res, () => res.end('written')),
    '/admin': (req, res) => requires({ roles })(req, res, () => res.end('administered')),
  }
  return listen(t, (req, res) => {
    guard(req, res, () => routes[req.url ?? '']?.(req, res, () => {}))
  })
}

/** Hono, behind a small adapter from Node's HTTP server. */
const startHono: Start = (t, given) => {
  const web = createFetchVerifier({ ...policy, keys: [key] })
  if (given !== verifier) web.check = async (token) => given.check(token)
  const app = new Hono<{ Variables: { claims: object } }>()
  const guard = (requirements: Requirements) =>
    createMiddleware(async (c, next) => {
      const result = await web.authenticate(c.req.raw, requirements)
      if (!result.ok) return result.response
      c.set('claims', result.claims)
      return next()
    })
  app.get('/me', guard({}), (c) => c.json(c.get('claims')))
  app.get('/write', guard({ scopes }), (c) => c.text('written'))
  app.get('/admin', guard({ roles }), (c) => c.text('administered'))
  return listen(t, async (req, res) => {
    const headers = new Headers()
    for (let i = 0; i < req.rawHeaders.length; i += 2) {
      headers.append(req.rawHeaders[i] as string, req.rawHeaders[i + 1] as string)
    }
    const reply = await app.fetch(new Request(`http://localhost${req.url}`, { headers }))
    res.writeHead(reply.status, Object.fromEntries(reply.headers)).end(await reply.text())
  })
}

// biome-ignore format: a table
const servers = { Fastify: startFastify, Express: startExpress, 'node:http': startNode, Hono: startHono }

/** Sends a request exactly as written; `fetch` would normalise the headers. */
async function send(port: number, path: string, given: string[]) {
  const lines = [`GET ${path} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...given, '', '']
  const socket = connect(port, '127.0.0.1')
  socket.write(lines.join('\r\n'), 'latin1')
  let text = ''
  for await (const chunk of socket) text += chunk
  const [head = '', body = ''] = text.split('\r\n\r\n')
  const fields = head
    .split('\r\n')
    .slice(1)
    .map((line) => line.split(/: (.*)/s, 2))
  const headers = Object.fromEntries(
    fields.map(([name = '', value]) => [name.toLowerCase(), value]),
  )
  const status = Number(head.split(' ')[1])
  return { status, headers, body: body.replace(/^[0-9a-f]+\r\n|\r\n0$/g, '') }
}

const good = sign()
const bearer = (token: string) => `Authorization: Bearer ${token}`
const expired = sign(header, claims({ exp: 1, iat: 0 }))
const wrongSignature = `${good.slice(0, -43)}${'A'.repeat(43)}`
const BARE = 'Bearer realm="latchkey"'
const INVALID_REQUEST =
  /^Bearer realm="latchkey", error="invalid_request", error_description="[^"]+"$/
const INVALID_TOKEN = /^Bearer realm="latchkey", error="invalid_token", error_description="[^"]+"$/

/** Status, code and challenge of a response. */
const missing = [401, 'token_missing', BARE] as const
const badRequest = [400, 'token_malformed', INVALID_REQUEST] as const
const malformed = [401, 'token_malformed', INVALID_TOKEN] as const

/** Request headers, the response, the rule. */
type Row = [
  what: string,
  headers: string[],
  response: readonly [status: number, code: string, challenge: string | RegExp],
  rule: string,
]

// biome-ignore format: a table
const refused: Row[] = [
  ['no header', [], missing, 'RFC 6750 3'],
  ['an empty header', ['Authorization: '], missing, 'RFC 6750 3'],
  ['another scheme', ['Authorization: Basic dTpw'], missing, 'RFC 6750 3'],
  ['a scheme with the same beginning', [`Authorization: Bearerx ${good}`], missing, 'RFC 9110 11.1'],
  ['a token without scheme', [`Authorization: ${good}`], missing, 'RFC 9110 11.4'],
  ['a token in another header', [`X-${bearer(good)}`], missing, 'RFC 6750 2'],
  ['a token in a cookie', [`Cookie: token=${good}`], missing, 'RFC 6750 2'],
  ['the scheme alone', ['Authorization: Bearer'], badRequest, 'RFC 6750 2.1'],
  ['a tab', [`Authorization: Bearer\t${good}`], badRequest, 'RFC 6750 2.1'],
  ['a space and a tab', [bearer(`\t${good}`)], badRequest, 'RFC 6750 2.1'],
  ['a comma', [bearer(`${good},`)], badRequest, 'RFC 6750 2.1'],
  ['two words', [bearer(`${good} ${good}`)], badRequest, 'RFC 6750 2.1'],
  ['quotes', [bearer(`"${good}"`)], badRequest, 'RFC 6750 2.1'],
  ['a parameter', [bearer(`token="${good}"`)], badRequest, 'RFC 6750 2.1'],
  ['non-ASCII letters', [bearer('\u00e9.\u00e9.\u00e9')], badRequest, 'RFC 6750 2.1'],
  ['two headers', [bearer(good), bearer(good)], badRequest, 'RFC 6750 3.1'],
  ['two headers in different cases', [bearer(good), 'AUTHORIZATION: Bearer x'], badRequest, 'RFC 6750 3.1'],
  ['garbage', [bearer('garbage')], malformed, 'RFC 6750 3.1'],
  ['padding', [bearer(`${good}=`)], malformed, 'RFC 6750 3.1'],
  ['a wrong signature', [bearer(wrongSignature)], [401, 'token_signature', INVALID_TOKEN], 'RFC 6750 3.1'],
  ['an expired token', [bearer(expired)], [401, 'token_expired', INVALID_TOKEN], 'RFC 6750 3.1'],
]

const accepted: [what: string, headers: string[]][] = [
  ['the usual spelling', [bearer(good)]],
  ['the scheme in lower case', [`Authorization: bearer ${good}`]],
  ['the scheme in upper case', [`AUTHORIZATION: BEARER ${good}`]],
  ['several spaces', [`Authorization:  Bearer   ${good}  `]],
]

for (const [name, start] of Object.entries(servers)) {
  t.test(`${name}: refuses requests without a valid token as the RFCs require`, async (t) => {
    const port = await start(t, verifier)
    for (const [what, headers, [status, code, challenge], rule] of refused) {
      const reply = await send(port, '/me', headers)
      const problem = { type: 'about:blank', status, code }
      t.equal(reply.status, status, `${what} → ${status} (${rule})`)
      t.match(reply.headers['content-type'], /^application\/problem\+json/, what)
      t.match(JSON.parse(reply.body), problem, `${what}: ${code}`)
      if (challenge === BARE) t.equal(reply.headers['www-authenticate'], BARE, what)
      else t.match(reply.headers['www-authenticate'], challenge, what)
      t.notOk(reply.body.includes('eyJ'), 'the response contains nothing of the token')
    }
  })

  t.test(`${name}: accepts a valid token in every spelling of the header`, async (t) => {
    const port = await start(t, verifier)
    for (const [what, headers] of accepted) {
      const reply = await send(port, '/me', headers)
      t.equal(reply.status, 200, what)
      t.match(JSON.parse(reply.body), { sub: claims().sub }, what)
    }
  })

  t.test(`${name}: does not read tokens in the query string`, async (t) => {
    const reply = await send(await start(t, verifier), `/me?access_token=${good}`, [])
    t.equal(reply.headers['www-authenticate'], BARE)
  })

  t.test(`${name}: requires all the scopes and roles of a route`, async (t) => {
    const port = await start(t, verifier)
    const ask = (path: string, others: object) =>
      send(port, path, [bearer(sign(header, claims({ ...others })))])
    t.equal((await ask('/write', { scope: 'x orders:write orders:read' })).status, 200)
    const partial = ['orders:read', 'orders:read orders:writer', '', 'orders:read,orders:write']
    for (const scope of [...partial, undefined]) {
      const reply = await ask('/write', { scope })
      const challenge = /error="insufficient_scope".*, scope="orders:read orders:write"$/
      t.equal(reply.status, 403, `scope ${scope}`)
      t.match(JSON.parse(reply.body), { code: 'scope_insufficient', claim: 'scope' })
      t.match(reply.headers['www-authenticate'], challenge)
    }
    t.equal((await ask('/admin', { roles: ['auditor', 'admin'] })).status, 200)
    for (const given of [['admin'], [], undefined]) {
      const reply = await ask('/admin', { roles: given })
      t.equal(reply.status, 403, `roles ${given}`)
      t.match(JSON.parse(reply.body), { code: 'role_insufficient', claim: 'roles' })
      t.match(reply.headers['www-authenticate'], /error="insufficient_scope"/)
    }
    t.equal((await send(port, '/admin', [])).status, 401, 'without a token it is 401')
  })

  t.test(`${name}: answers 503 without detail or challenge when the verifier throws`, async (t) => {
    const check = () => {
      throw new Error('a secret detail')
    }
    const port = await start(t, { check, verify: check })
    const reply = await send(port, '/me', [bearer(good)])
    t.equal(reply.status, 503)
    t.equal(reply.headers['www-authenticate'], undefined)
    t.match(JSON.parse(reply.body), { status: 503, code: 'verifier_unavailable' })
    t.notMatch(reply.body, /detail of|secret/)
  })
}

t.test('Express: requires() without the guard refuses every request', async (t) => {
  const app = express()
  app.get('/write', requires({ scopes }), (_req, res) => void res.send('written'))
  const reply = await send(await listen(t, app), '/write', [bearer(good)])
  t.equal(reply.status, 401)
})

const wrongRequirements = [
  'orders:read',
  ['orders:read'],
  new Set(['orders:read']),
  null,
  { scope: ['orders:read'] },
  { role: 'admin' },
  { public: true },
  { scopes: 'orders:read' },
  { scopes: ['a b'] },
  { scopes: undefined },
  { roles: [1] },
  { roles: [''] },
  { onStale: 'refuse' },
  { maxStaleSeconds: 0 },
]

t.test('requires() and authenticate() refuse unknown and wrong requirements', async (t) => {
  const web = createFetchVerifier({ ...policy, keys: [key] })
  const request = new Request('http://localhost/', { headers: { authorization: `Bearer ${good}` } })
  for (const wrong of wrongRequirements) {
    t.throws(() => requires(wrong as never), JSON.stringify(wrong))
    await t.rejects(web.authenticate(request, wrong as never), JSON.stringify(wrong))
  }
  t.throws(() => requires(undefined as never), TypeError)
})

t.test('latchkey() of Express refuses options that it would ignore', async (t) => {
  const wrong: [options: object, staleness: unknown][] = [
    [{ verifier, audience: 'admin' }, {}],
    [{ verifier, scopes: ['orders:read'] }, {}],
    [{ verifier, token: 'cookie' }, {}],
    [{ verifier, publicNotFound: true }, {}],
    [{ verifier: {} }, {}],
    [{ ...policy, keys: [key], algorithms: ['HS256'] }, {}],
    [{ verifier }, { scopes: ['orders:read'] }],
    [{ verifier }, { onstale: 'deny' }],
    [{ verifier }, 'deny'],
    [{ verifier }, null],
  ]
  for (const [options, staleness] of wrong) {
    t.throws(() => guardExpress(options as never, staleness as never), TypeError)
  }
  t.throws(() => createFetchVerifier({ ...policy, keys: [key], token: 'x' as never }), TypeError)
})
