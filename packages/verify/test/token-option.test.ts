import cookie from '@fastify/cookie'
import websocket from '@fastify/websocket'
import type { Request as ExpressRequest } from 'express'
import express from 'express'
import Fastify, { type FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import { latchkey as guard } from '../src/express.ts'
import latchkey from '../src/fastify.ts'
import { createVerifier } from '../src/fetch.ts'
import { listen } from './listen.ts'
import { claims, header, key, policy, sign } from './tokens.ts'

const options = { ...policy, keys: [key] }

/** What `token` returns, by path; anything else than a string or nothing is a mistake. */
const elsewhere: Record<string, unknown> = {
  '/good': sign(header, claims({ sub: 'elsewhere' })),
  '/expired': sign(header, claims({ exp: 1, iat: 0 })),
  '/malformed': 'a b c',
  '/undefined': undefined,
  '/null': null,
  '/empty': '',
  '/number': 1,
  '/promise': Promise.resolve(sign()),
}
const token = ({ url = '' }: { url?: string | undefined }): string => {
  const { pathname } = new URL(url, 'http://localhost')
  if (pathname === '/throws') throw new Error('a secret detail')
  return elsewhere[pathname] as string
}

const wanted: [path: string, headers: Record<string, string>, status: number, body: object][] = [
  ['/good', {}, 200, { sub: 'elsewhere' }],
  ['/good', { authorization: 'Basic dTpw' }, 200, { sub: 'elsewhere' }],
  ['/good', { authorization: `Bearer ${sign()}` }, 200, { sub: claims().sub }],
  ['/good', { authorization: 'Bearer x' }, 401, { code: 'token_malformed' }],
  ['/good', { authorization: 'Bearer' }, 400, { code: 'token_malformed' }],
  ['/expired', {}, 401, { code: 'token_expired' }],
  ['/expired', { authorization: `Bearer ${sign()}` }, 200, { sub: claims().sub }],
  ['/malformed', {}, 401, { code: 'token_malformed' }],
  ['/undefined', {}, 401, { code: 'token_missing' }],
  ['/null', {}, 401, { code: 'token_missing' }],
  ['/empty', {}, 401, { code: 'token_missing' }],
  ['/number', {}, 503, { code: 'verifier_unavailable' }],
  ['/promise', {}, 503, { code: 'verifier_unavailable' }],
  ['/throws', {}, 503, { code: 'verifier_unavailable' }],
]

const servers: Record<string, (t: Test) => Promise<string>> = {
  async Fastify(t) {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(latchkey, { ...options, token })
    app.get('*', async (request) => request.user)
    return app.listen({ port: 0, host: '127.0.0.1' })
  },
  async Express(t) {
    const app = express()
    app.use(guard({ ...options, token }))
    app.use((req, res) => void res.json(req.auth))
    return listen(t, app)
  },
  async fetch(t) {
    const verifier = createVerifier({ ...options, token })
    return listen(t, async ({ url, headers: { authorization } }, res) => {
      const headers = authorization === undefined ? {} : { authorization }
      const result = await verifier.authenticate(new Request(`http://localhost${url}`, { headers }))
      const reply = result.ok ? Response.json(result.claims) : result.response
      res.writeHead(reply.status).end(await reply.text())
    })
  },
}

for (const [name, start] of Object.entries(servers)) {
  t.test(`${name}: token() is used when there is no Bearer header`, async (t) => {
    const origin = await start(t)
    for (const [path, headers, status, body] of wanted) {
      const reply = await fetch(origin + path, { headers })
      t.equal(reply.status, status, path)
      t.match(await reply.json(), body, path)
    }
  })
}

t.test('Fastify: reads a token from a cookie, also in jwtVerify', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cookie)
  await app.register(latchkey, { ...options, token: ({ cookies }) => cookies.session })
  app.get('/me', async (request) => request.user.sub)
  app.get('/maybe', { config: { public: true } }, async (request) => request.jwtVerify())
  for (const url of ['/me', '/maybe']) {
    t.equal((await app.inject(url)).statusCode, 401)
    t.equal((await app.inject({ url, cookies: { session: sign() } })).statusCode, 200)
    t.equal((await app.inject({ url, cookies: { session: 'x' } })).statusCode, 401)
  }
})

t.test('Fastify: reads a token from the subprotocols of a WebSocket', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const token = ({ headers }: Pick<FastifyRequest, 'headers'>) =>
    headers['sec-websocket-protocol']?.match(/^latchkey, *([\w.-]+)$/)?.[1]
  await app.register(latchkey, { ...options, token })
  await app.register(websocket)
  app.get('/live', { websocket: true }, (socket, request) => socket.send(request.user.sub))
  const url = `${await app.listen({ port: 0, host: '127.0.0.1' })}/live`
  const open = (protocols: string[]) =>
    new Promise((resolve) => {
      const socket = new WebSocket(url.replace('http', 'ws'), protocols)
      socket.onmessage = ({ data }) => {
        resolve([data, socket.protocol])
        socket.close()
      }
      socket.onclose = () => resolve('refused')
    })
  t.strictSame(await open(['latchkey', sign()]), [claims().sub, 'latchkey'])
  t.equal(await open(['latchkey']), 'refused')
  t.equal(await open(['latchkey', sign(header, claims({ exp: 1, iat: 0 }))]), 'refused')
})

t.test('Express: token() may be a function of the Request of Express', async (t) => {
  const token = (req: ExpressRequest): string | undefined => req.get('x-token')
  const app = express().use(guard({ ...options, token }))
  app.get('/', (req, res) => void res.send(req.auth.sub))
  const url = await listen(t, app)
  t.equal((await fetch(url, { headers: { 'x-token': sign() } })).status, 200)
  t.equal((await fetch(url)).status, 401)
})
