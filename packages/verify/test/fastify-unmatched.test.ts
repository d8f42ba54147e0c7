import { once } from 'node:events'
import http2, { type OutgoingHttpHeaders } from 'node:http2'
import express from '@fastify/express'
import middie from '@fastify/middie'
import websocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import latchkey, { type LatchkeyOptions } from '../src/fastify.ts'
import { key, policy, sign } from './tokens.ts'

const options: LatchkeyOptions = { ...policy, keys: [key] }
const headers = { authorization: `Bearer ${sign()}` }
const expired = { authorization: `Bearer ${sign(undefined, { ...policy, exp: 1 })}` }

function create(t: Test): FastifyInstance {
  const app = Fastify()
  t.teardown(() => app.close())
  return app
}

/** Middleware of a framework that has no types in common with Fastify. */
type Use = (path: string, fn: (req: unknown, res: { end(text: string): void }) => void) => void

for (const [name, plugin] of Object.entries({ middie, express })) {
  for (const publicNotFound of [false, true]) {
    t.test(`${name}, publicNotFound ${publicNotFound}: middleware needs a token`, async (t) => {
      const app = create(t)
      await app.register(latchkey, { ...options, publicNotFound })
      await app.register(plugin as typeof middie)
      const use = (app as unknown as { use: Use }).use.bind(app)
      use('/admin', (_req, res) => res.end('secret'))
      await app.register(
        async (child) => {
          ;(child as unknown as { use: Use }).use('/x', (_req, res) => res.end('secret'))
          child.setNotFoundHandler((_request, reply) => reply.code(404).send('none'))
        },
        { prefix: '/child' },
      )
      for (const url of ['/admin', '/admin/', '/admin/users?a=1', '//admin', '/child/x']) {
        for (const method of ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS'] as const) {
          const reply = await app.inject({ url, method })
          t.equal(reply.statusCode, publicNotFound ? 404 : 401, `${method} ${url}`)
          t.notMatch(reply.body, /secret/)
        }
      }
      t.equal((await app.inject({ url: '/admin', headers: expired })).statusCode, 401)
      t.equal((await app.inject({ url: '/admin', headers })).statusCode, 200)
      t.equal((await app.inject({ url: '/child/x', headers })).statusCode, 200)
    })
  }

  t.test(`refuses to be registered after ${name}`, async (t) => {
    const app = create(t)
    await app.register(plugin as typeof middie)
    await t.rejects(async () => await app.register(latchkey, options), /before @fastify\/middie/)
  })
}

t.test('publicNotFound does not reach middleware that runs before the handler', async (t) => {
  const app = create(t)
  await app.register(latchkey, { ...options, publicNotFound: true })
  await app.register(middie, { hook: 'preHandler' })
  app.use('/admin', (_req, res) => res.end('secret'))
  t.equal((await app.inject('/admin')).statusCode, 404)
})

t.test('unmatched requests need a token in every not-found handler', async (t) => {
  const app = create(t)
  await app.register(latchkey, options)
  app.setNotFoundHandler({ config: { public: true } } as object, (_request, reply) => {
    reply.code(404).send('root')
  })
  await app.register(
    async (child) => {
      child.setNotFoundHandler((_request, reply) => void reply.code(404).send('child'))
    },
    { prefix: '/child' },
  )
  for (const [url, body] of Object.entries({ '/nowhere': 'root', '/child/nowhere': 'child' })) {
    t.match((await app.inject(url)).json(), { status: 401, code: 'token_missing' })
    const reply = await app.inject({ url, headers })
    t.equal(reply.statusCode, 404)
    t.equal(reply.body, body)
  }
})

t.test('publicNotFound answers strangers 404 as a problem, and others as usual', async (t) => {
  const app = create(t)
  await app.register(latchkey, { ...options, publicNotFound: true })
  app.get('/', async () => 'ok')
  const reply = await app.inject('/nowhere')
  t.match(reply.json(), { status: 404, code: 'not_found', request_id: /./ })
  t.equal(reply.headers['www-authenticate'], undefined)
  t.equal((await app.inject({ url: '/nowhere', headers })).statusCode, 404)
  t.equal((await app.inject({ url: '/nowhere', headers: expired })).statusCode, 401)
  t.equal((await app.inject('/')).statusCode, 401, 'routes are as before')
})

t.test('a malformed URL reaches neither middleware nor routes', async (t) => {
  const app = create(t)
  await app.register(latchkey, options)
  await app.register(middie)
  app.use((_req, res) => res.end('secret'))
  for (const url of ['/%', '/%ff', '/a/%zz']) {
    const reply = await app.inject(url)
    t.ok([400, 401].includes(reply.statusCode), `${url}: ${reply.statusCode}`)
  }
})

t.test('a request by HTTP/2 needs a token, whether a route matches or not', async (t) => {
  const app = Fastify({ http2: true })
  t.teardown(() => app.close())
  await app.register(latchkey as never, options)
  app.get('/me', async () => 'secret')
  const session = http2.connect(await app.listen({ port: 0, host: '127.0.0.1' }))
  t.teardown(() => session.destroy())
  const ask = async (headers: OutgoingHttpHeaders) => {
    const [reply] = await once(session.request(headers), 'response')
    return reply[':status']
  }
  t.equal(await ask({ ':path': '/me' }), 401)
  t.equal(await ask({ ':path': '/nowhere' }), 401)
  t.equal(await ask({ ':path': '*', ':method': 'OPTIONS' }), 401)
  t.equal(await ask({ ':path': '/me', ...headers }), 200)
})

t.test('a public route that calls the not-found handler opens no middleware', async (t) => {
  const app = create(t)
  await app.register(latchkey, options)
  await app.register(middie, { hook: 'preHandler' })
  app.use('/admin', (_req, res) => res.end('secret'))
  app.get('/open/*', { config: { public: true } }, (_request, reply) => void reply.callNotFound())
  for (const url of ['/open/x', '/open/../admin', '/open/%2e%2e/admin', '/admin/../open/x']) {
    t.notMatch((await app.inject(url)).body, /secret/, url)
  }
})

t.test('a WebSocket is opened only with a token', async (t) => {
  const app = create(t)
  await app.register(latchkey, options)
  await app.register(websocket)
  app.get('/live', { websocket: true }, (socket) => socket.terminate())
  await app.ready()
  await t.rejects(app.injectWS('/live'), /401/)
  await t.rejects(app.injectWS('/nowhere'), /401/)
  const socket = await app.injectWS('/live', { headers })
  socket.terminate()
})
