import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import latchkey from '../src/fastify.ts'
import { createVerifier } from '../src/index.ts'
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
  })
  for (const url of ['/direct', '/child', '/grandchild']) {
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
  t.equal(refused.headers['www-authenticate'], 'Bearer realm="latchkey"')
  t.equal(refused.json().code, 'token_missing')
  const expired = sign(header, claims({ exp: 1, iat: 0 }))
  const reply = await app.inject({ url: '/maybe', headers: { authorization: `Bearer ${expired}` } })
  t.equal(reply.statusCode, 401)
  t.match(reply.headers['www-authenticate'], /invalid_token/)
})

t.test('an error handler that reads statusCode answers a TokenError with its status', async (t) => {
  const stale = { isRevoked: () => false, version: 1, ageSeconds: Number.POSITIVE_INFINITY }
  const verifier = createVerifier({ ...policy, keys: [key], revocations: stale })
  const app = await createApp(t, (app) => {
    app.setErrorHandler((err: { statusCode?: number; code?: string }, _request, reply) => {
      reply.code(err.statusCode ?? 500).send({ code: err.code })
    })
    app.get('/maybe', { config: { public: true } }, async (request) => request.jwtVerify())
    app.get('/own', { config: { public: true } }, async () => verifier.verify('x'))
    app.get('/stale', { config: { public: true } }, async () =>
      verifier.verify(sign(), { onStale: 'deny' }),
    )
  })
  const answers = {
    '/maybe': 'token_missing',
    '/own': 'token_malformed',
    '/stale': 'revocations_stale',
  }
  for (const [url, code] of Object.entries(answers)) {
    const reply = await app.inject(url)
    t.equal(reply.statusCode, url === '/stale' ? 503 : 401, url)
    t.equal(reply.json().code, code)
  }
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

t.test('jwtVerify throws a TypeError for any argument, and names what to use', async (t) => {
  const wrong = [[{ allowedAud: 'admin' }], [() => {}], [{}, () => {}], [undefined]]
  const app = await createApp(t, (app) => {
    app.get('/maybe/:i', { config: { public: true } }, (request, reply) => {
      const args = wrong[Number((request.params as { i: string }).i)] as []
      // Not awaited: a rejected promise would end the process.
      request.jwtVerify(...args)
      reply.send('accepted')
    })
  })
  for (const i of wrong.keys()) {
    for (const headers of [{}, bearer]) {
      const reply = await app.inject({ url: `/maybe/${i}`, headers })
      t.equal(reply.statusCode, 500)
      t.match(reply.json().message, /accepts no options and no callback: await it.*plugin/)
    }
  }
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

t.test('a plugin below may have another verifier', async (t) => {
  const app = await createApp(t, (app) => {
    app.get('/orders', async (request) => request.user.aud)
    app.register(
      async (admin) => {
        await admin.register(latchkey, { ...policy, audience: 'admin', keys: [key] })
        admin.get('/admin', { config: { roles: ['admin'] } }, async (request) => request.user.aud)
        admin.get('/maybe', { config: { public: true } }, async (request) => request.jwtVerify())
        admin.setNotFoundHandler((_request, reply) => void reply.code(404).send('none'))
      },
      { prefix: '/admin' },
    )
  })
  const admin = { authorization: `Bearer ${sign(header, claims({ aud: 'admin' }))}` }
  for (const url of ['/admin/admin', '/admin/maybe', '/admin/nowhere']) {
    const reply = await app.inject({ url, headers: bearer })
    t.match(reply.json(), { code: 'token_audience' }, url)
    t.equal(
      (await app.inject({ url, headers: admin })).statusCode,
      url === '/admin/nowhere' ? 404 : 200,
    )
  }
  t.equal((await app.inject({ url: '/orders', headers: bearer })).statusCode, 200)
  t.equal((await app.inject({ url: '/orders', headers: admin })).statusCode, 401)
})
