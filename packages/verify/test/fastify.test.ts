import Fastify from 'fastify'
import t, { type Test } from 'tap'
import latchkey from '../src/fastify.ts'
import { createVerifier } from '../src/index.ts'
import { createTestKey, mintToken } from '../src/testing.ts'

const key = createTestKey()
const given = { key, issuer: 'https://sso.example', audience: 'orders' }
const verifier = createVerifier({ keys: [key], issuer: given.issuer, audience: given.audience })

async function createApp(t: Test) {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(latchkey, { verifier })
  app.get('/me', async (request) => request.user)
  app.get('/open', { config: { public: true } }, async (request) => request.user)
  app.get('/write', { config: { scopes: ['orders:read', 'orders:write'] } }, async () => 'ok')
  app.get('/admin', { config: { roles: ['admin'] } }, async () => 'ok')
  app.get('/maybe', { config: { public: true } }, async (request) => request.jwtVerify())
  return app
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

t.test('a route needs a token unless it says that it is public', async (t) => {
  const app = await createApp(t)
  const refused = await app.inject('/me')
  t.equal(refused.statusCode, 401)
  t.equal(refused.headers['www-authenticate'], 'Bearer')
  t.match(refused.headers['content-type'], /^application\/problem\+json/)
  t.equal(refused.json().code, 'token_missing')
  t.equal((await app.inject('/open')).statusCode, 200)
  t.equal((await app.inject('/nowhere')).statusCode, 404)
})

t.test('a good token opens the route and its claims are the user', async (t) => {
  const app = await createApp(t)
  const reply = await app.inject({ url: '/me', headers: bearer(mintToken(given)) })
  t.equal(reply.statusCode, 200)
  t.match(reply.json(), { iss: given.issuer, sub: 'user-1', aud: ['orders'] })
})
