import t from 'tap'
import { mailSettings, readCode, readMail } from './mail-support.ts'
import {
  as,
  claimsOf,
  createConfig,
  login,
  password,
  post,
  refresh,
  register,
  startAuth,
  startInstance,
} from './support.ts'

const settings = { ...mailSettings, LATCHKEY_REGISTRATION: 'open' } as const
const fresh = 'seven green umbrellas'

t.test('a reset ends all sessions, does not log in, and tells the user', async (t) => {
  const app = await startAuth(t, settings)
  const email = await register(app)
  const { access_token, refresh_token } = await login(app, email)
  t.equal((await post(app, '/v1/password-reset', { email })).statusCode, 202)
  const body = { ...(await readCode(app, email)), password: fresh }
  const reset = await post(app, '/v1/password-reset/confirm', body)
  t.equal(reset.statusCode, 204)
  t.equal(reset.body, '')
  t.equal((await refresh(app, refresh_token)).statusCode, 401)
  t.equal((await as(app, access_token, 'GET', '/v1/me')).statusCode, 401)
  t.equal((await post(app, '/v1/login', { email, password })).statusCode, 401)
  const reply = await post(app, '/v1/login', { email, password: fresh })
  t.equal(reply.statusCode, 200)
  const me = await as(app, reply.json().access_token, 'GET', '/v1/me')
  t.match(me.json(), { email_verified: true }, 'the code has proven the address')
  t.equal((await readMail(app, email)).at(-1)?.kind, 'password-changed')
  const again = await post(app, '/v1/password-reset/confirm', body)
  t.match(again.json(), { status: 400, code: 'code_invalid' })
})

t.test('answers alike for an unknown, a disabled and a known address', async (t) => {
  const app = await startAuth(t, settings)
  const [known, disabled] = [await register(app), await register(app)]
  await app.db.query('UPDATE users SET disabled_at = now() WHERE email = $1', [disabled])
  const replies = await Promise.all(
    [known, disabled, 'nobody@example.com'].map((email) =>
      post(app, '/v1/password-reset', { email }),
    ),
  )
  const shapes = replies.map(({ statusCode, headers, body }) => ({
    statusCode,
    length: body.length,
    headers: Object.keys(headers),
  }))
  t.strictSame(new Set(shapes.map((shape) => JSON.stringify(shape))).size, 1)
  t.match(await readMail(app, known), [{ kind: 'password-reset' }])
  t.match(await readMail(app, disabled), [{ kind: 'none' }])
  t.match(await readMail(app, 'nobody@example.com'), [{ kind: 'none' }])
})

t.test('a new request replaces the code of the one before', async (t) => {
  const app = await startAuth(t, settings)
  const email = await register(app)
  await post(app, '/v1/password-reset', { email })
  const first = await readCode(app, email)
  await post(app, '/v1/password-reset', { email })
  const old = await post(app, '/v1/password-reset/confirm', { ...first, password: fresh })
  t.match(old.json(), { code: 'code_invalid' })
  const body = { ...(await readCode(app, email)), password: fresh }
  t.equal((await post(app, '/v1/password-reset/confirm', body)).statusCode, 204)
})

t.test('a stranger who asks too often does not make the last code useless', async (t) => {
  const app = await startAuth(t, settings)
  const email = await register(app)
  for (let index = 0; index < 13; index += 1) await post(app, '/v1/password-reset', { email })
  const body = { ...(await readCode(app, email)), password: fresh }
  t.equal((await post(app, '/v1/password-reset/confirm', body)).statusCode, 204)
})

t.test('records a wrong code', async (t) => {
  const app = await startAuth(t, settings)
  const email = await register(app)
  await post(app, '/v1/password-reset', { email })
  const code = { ...(await readCode(app, email)), code: '00000000', password: fresh }
  t.match((await post(app, '/v1/password-reset/confirm', code)).json(), { code: 'code_invalid' })
  const { rows } = await app.db.query('SELECT * FROM audit_events ORDER BY id DESC LIMIT 1')
  t.match(rows, [{ action: 'resetPassword', result: 'refused', subject_id: /./ }])
})

t.test('of 500 parallel resets over three instances one succeeds', async (t) => {
  const config = await createConfig(t, settings)
  const apps = [
    await startInstance(t, config),
    await startInstance(t, config),
    await startInstance(t, config),
  ] as const
  const email = await register(apps[0])
  await post(apps[0], '/v1/password-reset', { email })
  const body = { ...(await readCode(apps[0], email)), password: fresh }
  const replies = await Promise.all(
    Array.from({ length: 500 }, (_, index) =>
      post(apps[index % 3] ?? apps[0], '/v1/password-reset/confirm', body),
    ),
  )
  t.equal(replies.filter((reply) => reply.statusCode === 204).length, 1)
  const others = replies.filter(({ statusCode }) => [400, 429, 503].includes(statusCode))
  t.equal(others.length, 499)
})

t.test('changing the password ends a reset that was asked for', async (t) => {
  const app = await startAuth(t, settings)
  const email = await register(app)
  const { access_token } = await login(app, email)
  await post(app, '/v1/password-reset', { email })
  const body = { ...(await readCode(app, email)), password: fresh }
  const change = { current_password: password, new_password: 'nine purple lanterns' }
  t.equal((await as(app, access_token, 'POST', '/v1/me/password', change)).statusCode, 200)
  const late = await post(app, '/v1/password-reset/confirm', body)
  t.match(late.json(), { code: 'code_invalid' })
})

t.test('without mail, a reset is refused with the setting at fault', async (t) => {
  const app = await startAuth(t)
  const reply = await post(app, '/v1/password-reset', { email: 'ada@example.com' })
  t.match(reply.json(), { status: 501, code: 'mail_not_configured', detail: /LATCHKEY_SMTP_URL/ })
})

t.test('a code of one kind is refused where another is needed', async (t) => {
  const app = await startAuth(t, settings)
  const email = await register(app)
  const { sub } = claimsOf((await login(app, email)).access_token)
  await post(app, '/v1/password-reset', { email })
  const code = await readCode(app, email)
  for (const path of ['/v1/me/email/confirm', '/v1/me/email/undo']) {
    t.match((await post(app, path, code)).json(), { code: 'code_invalid' })
  }
  const { rows } = await app.db.query('SELECT user_id FROM mailed_codes')
  t.strictSame(rows, [{ user_id: sub }], 'and is not used up')
})
