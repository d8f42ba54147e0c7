import fastifyCors from '@fastify/cors'
import expressCors from 'cors'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { cors as honoCors } from 'hono/cors'
import t, { type Test } from 'tap'
import { latchkey as guard } from '../src/express.ts'
import latchkey from '../src/fastify.ts'
import { createVerifier } from '../src/fetch.ts'
import { listen } from './listen.ts'
import { key, policy, sign } from './tokens.ts'

const options = { ...policy, keys: [key] }
const origin = 'https://app.example'
const headers = { origin, 'access-control-request-method': 'PUT' }

type Send = (path: string, init: RequestInit) => Promise<Response>

/** Starts an application with the route PUT /orders, and with CORS before or behind the guard. */
const servers: Record<string, (t: Test, isCorsFirst: boolean) => Promise<Send>> = {
  async Fastify(t, isCorsFirst) {
    const app = Fastify()
    t.teardown(() => app.close())
    const cors = { origin: [origin], methods: ['PUT'] }
    if (isCorsFirst) await app.register(fastifyCors, cors)
    await app.register(latchkey, options)
    if (!isCorsFirst) await app.register(fastifyCors, cors)
    app.put('/orders', async () => 'ok')
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    return (path, init) => fetch(url + path, init)
  },
  async Express(t, isCorsFirst) {
    const app = express()
    const middleware = [expressCors({ origin: [origin] }), guard(options)]
    for (const each of isCorsFirst ? middleware : middleware.reverse()) app.use(each)
    app.put('/orders', (_req, res) => void res.send('ok'))
    const url = await listen(t, app)
    return (path, init) => fetch(url + path, init)
  },
  async Hono(_t, isCorsFirst) {
    const app = new Hono()
    const verifier = createVerifier(options)
    if (isCorsFirst) app.use(honoCors({ origin: [origin] }))
    app.use(async (c, next) => {
      const result = await verifier.authenticate(c.req.raw)
      return result.ok ? next() : result.response
    })
    if (!isCorsFirst) app.use(honoCors({ origin: [origin] }))
    app.put('/orders', (c) => c.text('ok'))
    return async (path, init) => app.fetch(new Request(`http://localhost${path}`, init))
  },
}

for (const [name, start] of Object.entries(servers)) {
  t.test(`${name}: CORS registered before the guard answers preflight requests`, async (t) => {
    const send = await start(t, true)
    for (const path of ['/orders', '/nowhere']) {
      const preflight = await send(path, { method: 'OPTIONS', headers })
      t.equal(preflight.status, 204, path)
      t.equal(preflight.headers.get('access-control-allow-origin'), origin)
      const foreign = { ...headers, origin: 'https://evil.example' }
      const refused = await send(path, { method: 'OPTIONS', headers: foreign })
      t.equal(refused.headers.get('access-control-allow-origin'), null)
    }
    const refused = await send('/orders', { method: 'PUT', headers: { origin } })
    t.equal(refused.status, 401)
    if (name !== 'Hono') {
      // So that the page can read the refusal.
      t.equal(refused.headers.get('access-control-allow-origin'), origin)
    }
    const authorization = `Bearer ${sign()}`
    const accepted = await send('/orders', { method: 'PUT', headers: { origin, authorization } })
    t.equal(accepted.status, 200)
    t.equal(accepted.headers.get('access-control-allow-origin'), origin)
  })

  t.test(`${name}: behind the guard, no preflight request reaches CORS`, async (t) => {
    const send = await start(t, false)
    for (const path of ['/orders', '/nowhere']) {
      t.equal((await send(path, { method: 'OPTIONS', headers })).status, 401, path)
    }
  })
}
