import t from 'tap'
import { erasePersonalData } from '../src/audit/store.ts'
import { as, claimsOf, login, password, post, register, startAuth } from './support.ts'

t.test('sets and removes a display name and a language', async (t) => {
  const app = await startAuth(t)
  const { access_token } = await login(app, await register(app))
  const change = (body: object) => as(app, access_token, 'PATCH', '/v1/me', body)
  const set = await change({ display_name: 'Ada', locale: 'en-GB' })
  t.match(set.json(), { display_name: 'Ada', locale: 'en-GB' })
  t.match((await change({ display_name: null })).json(), { display_name: null, locale: 'en-GB' })
  for (const body of [
    {},
    { display_name: '' },
    { display_name: 'a\u202eb' },
    { display_name: 'a\nb' },
    { display_name: 'x'.repeat(101) },
    { locale: 'not a tag' },
    { email: 'other@example.com' },
    { roles: ['admin'] },
  ]) {
    t.match((await change(body)).json(), { code: 'invalid_request' }, JSON.stringify(body))
  }
})

t.test('exports all that is stored about the user, and records it', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  await post(app, '/v1/login', { email, password: 'wrong password' })
  const { access_token } = await login(app, email)
  const reply = await as(app, access_token, 'GET', '/v1/me/export')
  const exported = reply.json()
  t.match(exported, { user: { email }, sessions: [{ current: true }], next_events: null })
  t.match(
    exported.events.map(({ action, result }: Record<string, string>) => `${action} ${result}`),
    ['login ok', 'login refused', 'register ok'],
  )
  t.notMatch(reply.body, /argon2|hash/)
  const events = (await as(app, access_token, 'GET', '/v1/me/events?limit=1')).json()
  t.match(events, { events: [{ action: 'exportMyData' }], next: /^\d+$/ })
  const older = await as(app, access_token, 'GET', `/v1/me/events?before=${events.next}`)
  t.match(older.json().events, [{ action: 'login' }, { action: 'login' }, { action: 'register' }])
})

t.test('users see no events of others, and not from where an admin acted', async (t) => {
  const app = await startAuth(t)
  const admin = await register(app)
  await app.db.query(`UPDATE users SET roles = '{admin}'`)
  const adminToken = (await login(app, admin)).access_token
  const { access_token } = await login(app, await register(app))
  const path = `/v1/admin/users/${claimsOf(access_token).sub}`
  await as(app, adminToken, 'PATCH', path, { scope: 'orders:read orders:write extra' })
  const { events } = (await as(app, access_token, 'GET', '/v1/me/events')).json()
  t.match(events[0], { action: 'changeUser', actor: 'admin', actor_id: null, network: null })
  t.ok(events.every((event: { subject_id: string }) => event.subject_id === events[0].subject_id))
})

t.test('deletes the account after the password, with personal data in the log', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const { access_token, refresh_token } = await login(app, email)
  const { sub, sid } = claimsOf(access_token)
  const erase = (secret: string) => as(app, access_token, 'DELETE', '/v1/me', { password: secret })
  t.match((await erase('wrong password')).json(), { status: 403, code: 'invalid_credentials' })
  t.equal((await erase(password)).statusCode, 204)
  t.equal((await post(app, '/v1/login', { email, password })).statusCode, 401)
  t.equal((await post(app, '/v1/refresh', { refresh_token })).statusCode, 401)
  const revoked = await app.db.query('SELECT FROM revocations WHERE id = $1', [sid])
  t.equal(revoked.rowCount, 1, 'verifiers refuse its tokens')
  await erasePersonalData(app.db)
  const { rows } = await app.db.query('SELECT * FROM audit_events WHERE subject_id = $1', [sub])
  t.ok(rows.some(({ action }) => action === 'deleteMe'))
  t.ok(rows.every(({ network, client }) => network === null && client === null))
  t.equal((await app.db.query('SELECT FROM erased_users')).rowCount, 0)
  const stored = await app.db.query('SELECT to_jsonb(e)::text AS row FROM audit_events AS e')
  t.notOk(stored.rows.some(({ row }) => row.includes(email)))
})

t.test('the last admin cannot delete the account; of two at once, one can', async (t) => {
  const app = await startAuth(t)
  const emails = [await register(app), await register(app)] as const
  await app.db.query(`UPDATE users SET roles = '{admin}'`)
  const tokens = await Promise.all(
    emails.map(async (email) => (await login(app, email)).access_token),
  )
  const replies = await Promise.all(
    tokens.map((token) => as(app, token, 'DELETE', '/v1/me', { password })),
  )
  t.strictSame(replies.map(({ statusCode }) => statusCode).sort(), [204, 409])
  t.match(replies.find(({ statusCode }) => statusCode === 409)?.json(), { code: 'last_admin' })
})
