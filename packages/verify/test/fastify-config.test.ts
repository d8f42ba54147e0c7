import files from '@fastify/static'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import latchkey, { type LatchkeyOptions } from '../src/fastify.ts'
import { createVerifier } from '../src/index.ts'
import { claims, header, key, policy, sign } from './tokens.ts'

const options: LatchkeyOptions = { ...policy, keys: [key] }
const headers = { authorization: `Bearer ${sign(header, claims({ roles: [], scope: 'a b' }))}` }

function create(t: Test): FastifyInstance {
  const app = Fastify()
  t.teardown(() => app.close())
  return app
}

const wrong: [config: object, message: RegExp][] = [
  [{ public: true, scopes: ['orders:read'] }, /public route cannot require/],
  [{ public: true, roles: [] }, /public route cannot require/],
  [{ public: 'true' }, /public must be true or false/],
  [{ public: 1 }, /public must be true or false/],
  [{ scopes: 'a b' }, /scopes must be an array/],
  [{ scopes: ['a b'] }, /without spaces/],
  [{ scopes: undefined }, /scopes must be an array/],
  [{ roles: [1] }, /roles must be an array/],
  [{ roles: 'admin' }, /roles must be an array/],
  [{ roles: null }, /roles must be an array/],
  [{ roles: { admin: true } }, /roles must be an array/],
  [{ scope: ['a'] }, /config.scope is unknown; use scopes/],
  [{ Scopes: ['a'] }, /use scopes/],
  [{ scpoes: ['a'] }, /use scopes/],
  [{ requiredScopes: ['a'] }, /use scopes/],
  [{ role: 'admin' }, /use roles/],
  [{ ROLES: ['admin'] }, /use roles/],
  [{ user_role: 'admin' }, /use roles/],
  [{ rols: ['admin'] }, /use roles/],
  [{ Public: true }, /use public/],
  [{ isPublic: true }, /use public/],
  [{ onstale: 'deny' }, /use onStale/],
  [{ onStale: 'refuse' }, /onStale must be/],
  [{ maxStaleSecond: 5 }, /use maxStaleSeconds/],
  [{ maxStaleSeconds: 0 }, /maxStaleSeconds must be/],
]

t.test('refuses a wrong route config when the route is added', async (t) => {
  for (const [config, message] of wrong) {
    const app = create(t)
    await app.register(latchkey, options)
    t.throws(() => app.get('/', { config }, async () => 'ok'), { message })
  }
})

/** Ways to define a route whose `onRoute` hooks have run before those of the plugin exist. */
const ways: Record<string, (app: FastifyInstance, define: (app: FastifyInstance) => void) => void> =
  {
    'the plugin is not awaited': (app, define) => {
      app.register(latchkey, options)
      define(app)
    },
    'the route is defined before': (app, define) => {
      define(app)
      app.register(latchkey, options)
    },
    'a plugin without encapsulation defines it before': (app, define) => {
      const plugin = async (app: FastifyInstance) => define(app)
      app.register(Object.assign(plugin, { [Symbol.for('skip-override')]: true }))
      app.register(latchkey, options)
    },
    'a later onRoute hook sets it': (app, define) => {
      app.register(latchkey, options)
      app.register(async (child) => {
        let config: object | undefined
        child.addHook('onRoute', (route) => {
          route.config = config as object
        })
        const capture = {
          get: (_: string, given: { config: object }, handler: () => unknown) => {
            config = given.config
            child.get('/late', async () => handler())
          },
        }
        define(capture as unknown as FastifyInstance)
      })
    },
  }

for (const [name, way] of Object.entries(ways)) {
  t.test(`refuses to start with a wrong route config although ${name}`, async (t) => {
    for (const [config, message] of wrong) {
      const app = create(t)
      way(app, (app) => void app.get('/x/:id', { config }, async () => 'ok'))
      await t.rejects(async () => await app.ready(), { message })
      await t.rejects(async () => await app.ready(), /^route GET \//)
    }
  })

  t.test(`enforces a right route config although ${name}`, async (t) => {
    const answers: [config: object, stranger: number, user: number][] = [
      [{}, 401, 200],
      [{ public: true }, 200, 200],
      [{ scopes: ['b', 'a'], roles: [] }, 401, 200],
      [{ scopes: ['c'] }, 401, 403],
      [{ roles: ['admin'] }, 401, 403],
    ]
    for (const [config, stranger, user] of answers) {
      const app = create(t)
      let path = '/x'
      way(app, (app) => void app.get(path, { config }, async () => 'ok'))
      await app.ready()
      if (app.hasRoute({ method: 'GET', url: '/late' })) path = '/late'
      t.equal((await app.inject(path)).statusCode, stranger, JSON.stringify(config))
      t.equal((await app.inject({ url: path, headers })).statusCode, user, JSON.stringify(config))
    }
  })
}

t.test('checks the config of routes of every kind', async (t) => {
  const config = { role: 'admin' } as object
  const handler = async () => 'ok'
  const kinds: ((app: FastifyInstance) => void)[] = [
    (app) => app.route({ method: ['POST', 'PUT'], url: '/a/:b/c-:d(^\\d+)', config, handler }),
    (app) => app.all('*', { config }, handler),
    (app) => app.head('/', { config }, handler),
    (app) => app.get('/', { config, constraints: { host: 'a.example' } }, handler),
    (app) => app.addHttpMethod('MKCOL').route({ method: 'MKCOL', url: '/', config, handler }),
  ]
  for (const define of kinds) {
    const app = create(t)
    app.get('/right', handler)
    app.get('/a/:b', handler)
    define(app)
    app.register(latchkey, options)
    await t.rejects(async () => await app.ready(), /config.role is unknown/)
  }
})

t.test('leaves the config of other plugins and of unprotected routes alone', async (t) => {
  const app = create(t)
  app.get('/outside', { config: { scope: 'request', Public: 1 } as object }, async () => 'ok')
  app.register(async (api) => {
    api.register(latchkey, options)
    const config = { rateLimit: {}, cors: false, swagger: {}, otel: false, rules: [], score: 1 }
    api.get('/inside', { config: config as object }, async () => 'ok')
  })
  t.equal((await app.inject('/outside')).statusCode, 200)
  t.equal((await app.inject('/inside')).statusCode, 401)
})

t.test('an onRoute hook makes the routes of another plugin public', async (t) => {
  const app = create(t)
  await app.register(latchkey, options)
  const root = import.meta.dirname
  await app.register(files, { root, prefix: '/private/' })
  await app.register(async (open) => {
    open.addHook('onRoute', (route) => {
      route.config = { ...route.config, public: true }
    })
    await open.register(files, { root, prefix: '/open/', decorateReply: false })
  })
  t.equal((await app.inject('/private/tokens.ts')).statusCode, 401)
  t.equal((await app.inject('/private/none')).statusCode, 401)
  t.equal((await app.inject({ url: '/private/tokens.ts', headers })).statusCode, 200)
  t.equal((await app.inject('/open/tokens.ts')).statusCode, 200)
  t.equal((await app.inject('/open/none')).statusCode, 404)
})

t.test('refuses to be registered after other plugins or twice', async (t) => {
  const after = create(t)
  after.register(async (child) => void child.get('/early', async () => 'open'))
  after.register(latchkey, options)
  await t.rejects(async () => await after.ready(), /register @latchkey\/verify\/fastify first/)
  const twice = create(t)
  twice.register(latchkey, options).register(latchkey, options)
  await t.rejects(async () => await twice.ready(), /is registered already/)
})

t.test('a wrong option prevents the application from starting', async (t) => {
  const verifier = createVerifier({ ...policy, keys: [key] })
  const wrong: [options: object, message: RegExp][] = [
    [{ ...options, keys: 'secret' }, /must not be a string/],
    [{ ...options, prefix: '/api' }, /unknown option "prefix"/],
    [{ ...options, publicNotFound: 'yes' }, /publicNotFound must be/],
    [{ ...options, token: 'session' }, /token must be a function/],
    [{ verifier, audience: 'admin' }, /"audience" would be ignored/],
    [{ verifier, onStale: 'deny' }, /"onStale" would be ignored/],
    [{ verifier: {} }, /verifier must be/],
  ]
  for (const [given, message] of wrong) {
    const app = create(t)
    app.register(latchkey, given as never)
    await t.rejects(async () => await app.ready(), { message })
  }
})
