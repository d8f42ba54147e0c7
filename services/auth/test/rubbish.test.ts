import t from 'tap'
import { as, login, password, register, startAuth, startProcess } from './support.ts'

t.test('refuses malformed requests with 4xx and a code, and reveals nothing', async (t) => {
  const app = await startAuth(t)
  const valid = { email: 'a@example.com', password }
  const withPassword = (password: string) => JSON.stringify({ ...valid, password })
  const form = 'application/x-www-form-urlencoded'
  // biome-ignore format: a table
  const cases: [name: string, payload: string, status: number, code: string, type?: string][] = [
    ['malformed JSON',       '{"email":',                                   400, 'malformed_json'],
    ['an empty body',        '',                                            400, 'empty_body'],
    ['an array',             '[]',                                          400, 'invalid_request'],
    ['a prototype',          `{"__proto__":{"a":1},${JSON.stringify(valid).slice(1)}`, 400, 'malformed_json'],
    ['an unknown member',    JSON.stringify({ ...valid, admin: true }),     400, 'invalid_request'],
    ['a missing member',     '{"email":"a@example.com"}',                   400, 'invalid_request'],
    ['a number for a string', '{"email":"a@example.com","password":12345678}', 400, 'invalid_request'],
    ['no content type',      JSON.stringify(valid),                         415, 'unsupported_media_type', ''],
    ['a form',               'email=a',                                     415, 'unsupported_media_type', form],
    ['text',                 'hello',                                       415, 'unsupported_media_type', 'text/plain'],
    ['a NUL character',      withPassword('abc\0defgh'),                    400, 'invalid_text'],
    ['an unpaired surrogate', '{"email":"a@example.com","password":"\\ud800 12345678"}', 400, 'invalid_text'],
    ['a letter without one lower case', JSON.stringify({ ...valid, email: 'İ@example.com' }), 400, 'invalid_request'],
    ['nested arrays',        '['.repeat(30_000) + ']'.repeat(30_000),       400, 'invalid_text'],
    ['10 MB',                withPassword('x'.repeat(10_000_000)),          413, 'body_too_large'],
    ['a long password',      withPassword('x'.repeat(300)),                 400, 'invalid_request'],
  ]
  for (const url of ['/v1/register', '/v1/login']) {
    for (const [name, payload, status, code, type = 'application/json'] of cases) {
      const headers = { 'content-type': type }
      const reply = await app.inject({ method: 'POST', url, payload, headers })
      t.equal(reply.statusCode, status, `${url}: ${name}`)
      t.match(reply.headers['content-type'], 'application/problem+json')
      t.match(reply.json(), { code, status, request_id: /.+/ }, name)
      t.notMatch(reply.body, /stack|node_modules|\.ts|select|fastify|ajv/i, name)
    }
  }
})

t.test('refuses unusual methods, paths and IDs with 4xx, never 500', async (t) => {
  const app = await startAuth(t)
  const { access_token } = await login(app, await register(app))
  const paths = [
    '/v1/%00',
    '/v1/%ff',
    '/v1/sessions/%00',
    '/v1/sessions/1',
    '/v1/sessions/urn:uuid:01a20d53-c916-71c2-87fa-3206aeaa31fd',
    '/v1//me',
    '/nope',
    '/v1/me/../x',
  ]
  for (const path of paths) {
    for (const method of ['GET', 'DELETE', 'POST'] as const) {
      const reply = await as(app, access_token, method, path)
      const { statusCode } = reply
      t.ok(statusCode >= 400 && statusCode < 500, `${method} ${path}: ${statusCode}`)
      t.type(reply.json().code, 'string')
    }
  }
})

t.test('requires a token for every route that is not marked public', async (t) => {
  const app = await startAuth(t)
  for (const [method, url] of [
    ['GET', '/v1/me'],
    ['GET', '/v1/sessions'],
    ['DELETE', '/v1/sessions'],
  ] as const) {
    const reply = await app.inject({ method, url })
    t.equal(reply.statusCode, 401)
    t.equal(reply.headers['www-authenticate'], 'Bearer realm="latchkey"')
  }
  for (const url of ['/livez', '/readyz', '/metrics', '/docs/json']) {
    t.equal((await app.inject({ url })).statusCode, 200, url)
  }
  const unknown = await app.inject({ url: '/v1/nothing' })
  t.match(unknown.json(), { status: 404, code: 'not_found' })
})

t.test('documents every route, and serves the page with relative links', async (t) => {
  const app = await startAuth(t)
  const { paths, openapi } = (await app.inject({ url: '/docs/json' })).json()
  t.match(openapi, /^3\.1/)
  t.strictSame(
    new Set(Object.keys(paths)),
    new Set([
      '/.well-known/jwks.json',
      '/v1/register',
      '/v1/email-verification/confirm',
      '/v1/password-reset',
      '/v1/password-reset/confirm',
      '/v1/me',
      '/v1/me/email',
      '/v1/me/email/confirm',
      '/v1/me/email/undo',
      '/v1/me/events',
      '/v1/me/export',
      '/v1/me/password',
      '/v1/login',
      '/v1/refresh',
      '/v1/logout',
      '/v1/sessions',
      '/v1/sessions/{id}',
      '/v1/revocations',
      '/v1/keys/status',
      '/v1/admin/users',
      '/v1/admin/users/{id}',
      '/v1/admin/users/{id}/sessions',
      '/v1/admin/users/{id}/password-reset',
      '/v1/admin/clients',
      '/v1/admin/clients/{id}',
      '/v1/admin/events',
    ]),
  )
  t.equal((await app.inject({ url: '/docs' })).headers.location, 'docs/')
  const page = (await app.inject({ url: '/docs/' })).body
  for (const [, link = ''] of page.matchAll(/(?:src|href)="([^"]+)"/g)) {
    t.match(link, /^\.\//, 'works behind any prefix')
    t.equal((await app.inject({ url: `/docs/${link}` })).statusCode, 200, link)
  }
})

t.test('logs no secret, token, password or e-mail address', async (t) => {
  const { log, url } = await startProcess(t, { LATCHKEY_LOG_LEVEL: 'trace' })
  const send = async (path: string, body?: object, token?: string) => {
    const headers = {
      ...(body && { 'content-type': 'application/json' }),
      ...(token && { authorization: `Bearer ${token}` }),
    }
    const init = body && { method: 'POST', body: JSON.stringify(body) }
    return (await (await fetch(url + path, { ...init, headers })).json()) as Record<string, string>
  }
  const email = 'logged@example.com'
  await send('/v1/register', { email, password })
  const { access_token = '-', refresh_token = '-' } = await send('/v1/login', { email, password })
  await send(`/v1/me?access_token=${access_token}`, undefined, access_token)
  await send('/v1/refresh', { refresh_token })
  await send('/v1/login', { email, password: 'wrong wrong' })
  await send('/v1/login', { email, password: 'wrong wrong', extra: 1 })
  t.match(log(), '"path":"/v1/login"')
  for (const secret of [password, access_token, refresh_token, 'wrong wrong', '$argon2', email]) {
    t.notOk(log().includes(secret))
  }
})
