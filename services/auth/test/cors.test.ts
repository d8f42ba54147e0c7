import type { Service } from '@latchkey/service-kit'
import t from 'tap'
import { as, login, register, startAuth } from './support.ts'

const app = 'https://app.example.com'
const other = 'http://localhost:5173'

/** What a browser sends before a request that needs permission. */
const preflight = (auth: Service, url: string, origin: string) =>
  auth.inject({
    method: 'OPTIONS',
    url,
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
    },
  })

t.test('lets apps on the configured origins call, and no others', async (t) => {
  const auth = await startAuth(t, { LATCHKEY_CORS_ORIGINS: `${app} ${other}` })
  for (const url of ['/v1/login', '/v1/me', '/v1/me/password', '/no-route']) {
    for (const origin of [app, other]) {
      const { statusCode, headers } = await preflight(auth, url, origin)
      t.equal(statusCode, 204, url)
      t.equal(headers['access-control-allow-origin'], origin)
      t.match(headers['access-control-allow-headers'], /authorization/)
      t.notOk(headers['access-control-allow-credentials'], 'no cookie of another site is used')
    }
    for (const origin of [`${app}.evil.test`, 'https://evil.test', 'null', `${app}:8443`]) {
      const { headers } = await preflight(auth, url, origin)
      t.notOk(headers['access-control-allow-origin'], `${url} from ${origin}`)
    }
  }
})

t.test('lets the app read every answer, refusals too', async (t) => {
  const auth = await startAuth(t, { LATCHKEY_CORS_ORIGINS: app })
  const { access_token } = await login(auth, await register(auth))
  for (const authorization of [`Bearer ${access_token}`, 'Bearer rubbish', undefined]) {
    const headers = { origin: app, ...(authorization && { authorization }) }
    const reply = await auth.inject({ url: '/v1/me', headers })
    t.equal(reply.headers['access-control-allow-origin'], app, `${reply.statusCode}`)
    t.match(reply.headers.vary, /origin/i)
  }
})

t.test('lets no other origin call by default', async (t) => {
  const auth = await startAuth(t)
  const reply = await preflight(auth, '/v1/login', app)
  t.ok(reply.statusCode >= 400)
  t.notOk(reply.headers['access-control-allow-origin'])
  const { access_token } = await login(auth, await register(auth))
  const me = await as(auth, access_token, 'GET', '/v1/me')
  t.notOk(me.headers['access-control-allow-origin'])
})
