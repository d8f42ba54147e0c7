import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import latchkey from '../src/fastify.ts'
import { claims, header, key, policy, sign } from './tokens.ts'

async function createApp(t: Test, addRoutes: (app: FastifyInstance) => unknown) {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(latchkey, { ...policy, keys: [key] })
  await addRoutes(app)
  return app
}

const bearer = { authorization: `Bearer ${sign()}` }

t.test('requires a token for every route, however it is added, unless it is public', async (t) => {
  const app = await createApp(t, (app) => {
    app.all('/direct', async () => 'ok')
    app.register(async (child) => {
      child.get('/child', async () => 'ok')
      child.register(async (grandchild) => void grandchild.get('/grandchild', async () => 'ok'))
    })
    app.get('/open', { config: { public: true } }, async (request) => String(request.user))
    app.get('/nearly', { config: { public: 'true' as never } }, async () => 'ok')
  })
  for (const url of ['/direct', '/child', '/grandchild', '/nearly']) {
    t.equal((await app.inject(url)).statusCode, 401, url)
    t.equal((await app.inject({ url, headers: bearer })).statusCode, 200, url)
  }
  for (const method of ['HEAD', 'POST', 'DELETE', 'OPTIONS'] as const) {
    t.equal((await app.inject({ url: '/direct', method })).statusCode, 401, method)
  }
  t.equal((await app.inject('/open')).body, 'null')
})

t.test('refuses a request before reading its body', async (t) => {
  const app = await createApp(t, (app) => {
    app.post('/orders', { bodyLimit: 10 }, async () => 'ok')
  })
  const post = { url: '/orders', method: 'POST', payload: { much: 'x'.repeat(100) } } as const
  t.equal((await app.inject(post)).statusCode, 401)
  t.equal((await app.inject({ ...post, headers: bearer })).statusCode, 413)
})

t.test('answers 404 for an unknown route, with and without a token', async (t) => {
  const app = await createApp(t, (app) => void app.get('/', async () => 'ok'))
  t.equal((await app.inject('/nowhere')).statusCode, 404)
  t.equal((await app.inject({ url: '/nowhere', headers: bearer })).statusCode, 404)
})

t.test('jwtVerify verifies the token of a public route', async (t) => {
  const app = await createApp(t, (app) => {
    app.get('/maybe', { config: { public: true } }, async (request) => {
      const verified = await request.jwtVerify()
      return { same: verified === request.user, sub: request.user.sub }
    })
  })
  t.strictSame((await app.inject({ url: '/maybe', headers: bearer })).json(), {
    same: true,
    sub: claims().sub,
  })
  const refused = await app.inject('/maybe')
  t.equal(refused.statusCode, 401)
  t.equal(refused.headers['www-authenticate'], 'Bearer')
  t.equal(refused.json().code, 'token_missing')
  const expired = sign(header, claims({ exp: 1, iat: 0 }))
  const reply = await app.inject({ url: '/maybe', headers: { authorization: `Bearer ${expired}` } })
  t.equal(reply.statusCode, 401)
  t.match(reply.headers['www-authenticate'], /invalid_token/)
})

t.test('concurrent requests do not see the user of another', async (t) => {
  const app = await createApp(t, (app) => {
    app.get('/me', async (request) => request.user.sub)
  })
  const users = Array.from({ length: 50 }, (_, i) => `user-${i}`)
  const bodies = users.map(async (sub) => {
    const authorization = `Bearer ${sign(header, claims({ sub }))}`
    return (await app.inject({ url: '/me', headers: { authorization } })).body
  })
  t.strictSame(await Promise.all(bodies), users)
})

t.test('refuses a contradictory or malformed route config when the route is added', async (t) => {
  const wrong = [
    { public: true, scopes: ['orders:read'] },
    { public: true, roles: [] },
    { scopes: 'orders:read' },
    { scopes: ['orders:read orders:write'] },
    { roles: [1] },
  ]
  for (const config of wrong) {
    const app = await createApp(t, () => {})
    t.throws(() => app.get('/', { config: config as never }, async () => 'ok'), TypeError)
  }
})

t.test('refuses to be registered after other plugins', async (t) => {
  const app = Fastify()
  app.register(async (child) => void child.get('/early', async () => 'open'))
  app.register(latchkey, { ...policy, keys: [key] })
  await t.rejects(async () => await app.ready(), /register @latchkey\/verify\/fastify first/)
})

t.test('protects only the plugin it is registered in', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.get('/outside', async () => 'ok')
  app.register(async (api) => {
    await api.register(latchkey, { ...policy, keys: [key] })
    api.get('/inside', async () => 'ok')
  })
  t.equal((await app.inject('/outside')).statusCode, 200)
  t.equal((await app.inject('/inside')).statusCode, 401)
})

t.test('a wrong option prevents the application from starting', async (t) => {
  const app = Fastify()
  app.register(latchkey, { ...policy, keys: 'secret' } as never)
  await t.rejects(async () => await app.ready(), TypeError)
})
