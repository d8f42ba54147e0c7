import t from 'tap'
import { as, login, password, register, startAuth, startProcess } from './support.ts'

t.test('rubbish is refused with 4xx, a code, and nothing of ours in the answer', async (t) => {
  const app = await startAuth(t)
  const json = { 'content-type': 'application/json' }
  const credentials = { email: 'a@example.com', password }
  const cases: [
    name: string,
    payload: string,
    headers: Record<string, string>,
    code: string,
    status: number,
  ][] = [
    ['malformed JSON', '{"email":', json, 'malformed_json', 400],
    ['an empty body', '', json, 'empty_body', 400],
    ['an array', '[]', json, 'invalid_request', 400],
    [
      'a prototype',
      '{"__proto__":{"a":1},"email":"a@b.co","password":"12345678"}',
      json,
      'malformed_json',
      400,
    ],
    [
      'an unknown member',
      JSON.stringify({ ...credentials, admin: true }),
      json,
      'invalid_request',
      400,
    ],
    ['a missing member', '{"email":"a@example.com"}', json, 'invalid_request', 400],
    [
      'a number for a string',
      '{"email":"a@example.com","password":12345678}',
      json,
      'invalid_request',
      400,
    ],
    [
      'no content type',
      JSON.stringify(credentials),
      { 'content-type': '' },
      'unsupported_media_type',
      415,
    ],
    [
      'a form',
      'email=a',
      { 'content-type': 'application/x-www-form-urlencoded' },
      'unsupported_media_type',
      415,
    ],
    ['text', 'hello', { 'content-type': 'text/plain' }, 'unsupported_media_type', 415],
    [
      'a NUL character',
      JSON.stringify({ ...credentials, password: 'abc\0defgh' }),
      json,
      'invalid_text',
      400,
    ],
    [
      'half a surrogate pair',
      '{"email":"a@example.com","password":"\\ud800 12345678"}',
      json,
      'invalid_text',
      400,
    ],
    [
      'a letter whose lower case is disputed',
      JSON.stringify({ ...credentials, email: 'İ@example.com' }),
      json,
      'invalid_request',
      400,
    ],
    ['many arrays', '['.repeat(30_000) + ']'.repeat(30_000), json, 'invalid_text', 400],
    [
      '10 MB',
      JSON.stringify({ ...credentials, password: 'x'.repeat(10_000_000) }),
      json,
      'body_too_large',
      413,
    ],
    [
      'a long password',
      JSON.stringify({ ...credentials, password: 'x'.repeat(300) }),
      json,
      'invalid_request',
      400,
    ],
  ]
  for (const url of ['/v1/register', '/v1/login']) {
    for (const [name, payload, headers, code, status] of cases) {
      const reply = await app.inject({ method: 'POST', url, payload, headers })
      t.equal(reply.statusCode, status, `${url}: ${name}`)
      t.match(reply.headers['content-type'], 'application/problem+json')
      t.match(reply.json(), { code, status, request_id: /.+/ }, name)
      t.notMatch(reply.body, /stack|node_modules|\.ts|select|fastify|ajv/i, name)
    }
  }
})

t.test('odd methods, paths and ids are refused, never 500', async (t) => {
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
      t.ok(
        reply.statusCode >= 400 && reply.statusCode < 500,
        `${method} ${path}: ${reply.statusCode}`,
      )
      t.type(reply.json().code, 'string')
    }
  }
})

t.test('a route needs a token unless it says that it is public', async (t) => {
  const app = await startAuth(t)
  for (const [method, url] of [
    ['GET', '/v1/me'],
    ['GET', '/v1/sessions'],
    ['DELETE', '/v1/sessions'],
  ] as const) {
    const reply = await app.inject({ method, url })
    t.equal(reply.statusCode, 401)
    t.equal(reply.headers['www-authenticate'], 'Bearer')
  }
  for (const url of ['/livez', '/readyz', '/metrics', '/docs/json']) {
    t.equal((await app.inject({ url })).statusCode, 200, url)
  }
})

t.test('the description of the API lists every route, and the page shows it', async (t) => {
  const app = await startAuth(t)
  const { paths, openapi } = (await app.inject({ url: '/docs/json' })).json()
  t.match(openapi, /^3\.1/)
  t.strictSame(
    new Set(Object.keys(paths)),
    new Set([
      '/v1/register',
      '/v1/login',
      '/v1/refresh',
      '/v1/logout',
      '/v1/me',
      '/v1/me/password',
      '/v1/sessions',
      '/v1/sessions/{id}',
      '/v1/revocations',
      '/v1/keys/status',
      '/v1/admin/users',
      '/v1/admin/users/{id}',
    ]),
  )
  t.equal((await app.inject({ url: '/docs' })).headers.location, 'docs/')
  const page = (await app.inject({ url: '/docs/' })).body
  for (const [, link = ''] of page.matchAll(/(?:src|href)="([^"]+)"/g)) {
    t.match(link, /^\.\//, 'relative, so that it holds behind any prefix')
    t.equal((await app.inject({ url: `/docs/${link}` })).statusCode, 200, link)
  }
})

t.test('no secret, token or password is logged', async (t) => {
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
  t.match(log(), '"path":"/v1/login"', 'requests are logged')
  for (const secret of [password, access_token, refresh_token, 'wrong wrong', '$argon2', email]) {
    t.notOk(log().includes(secret))
  }
})
