import type { Service } from '@latchkey/service-kit'
import { authAudience } from '@latchkey/verify'
import { mintToken } from '@latchkey/verify/testing'
import t from 'tap'
import { latchkey } from './command.ts'
import { mailSettings, readCode, readMail } from './mail-support.ts'
import {
  as,
  assertAs,
  claimsOf,
  createConfig,
  issuer,
  login,
  password,
  post,
  register,
  signingSecretOf,
  startAuth,
  startInstance,
} from './support.ts'

type Method = Parameters<typeof as>[2]

const operate = async (app: Service, method: Method, path: string, body?: object) =>
  as(app, await assertAs(app, 'operator'), method, `/v1/admin/${path}`, body)

t.test('the operator makes the first admin, who sets the password with a code', async (t) => {
  const app = await startAuth(t, mailSettings)
  const email = 'root@example.com'
  const created = await operate(app, 'POST', 'users', { email, roles: ['admin'] })
  t.match(created.json(), { email, roles: ['admin'], email_verified: false })
  t.match(await readMail(app, email), [{ kind: 'set-password' }])
  const body = { ...(await readCode(app, email)), password }
  t.equal((await post(app, '/v1/password-reset/confirm', body)).statusCode, 204)
  const { access_token } = await login(app, email)
  t.match((await as(app, access_token, 'GET', '/v1/admin/users')).json(), { users: [{ email }] })
  const twice = await operate(app, 'POST', 'users', { email })
  t.match(twice.json(), { status: 409, code: 'email_taken' })
})

t.test('no service, no user and no forged claim acts as the operator', async (t) => {
  const app = await startAuth(t)
  const { access_token } = await login(app, await register(app))
  const { sub, sid } = claimsOf(access_token)
  const forged = await mintToken({
    key: signingSecretOf(app),
    issuer,
    audience: authAudience,
    subject: sub,
    roles: ['admin'],
    claims: { sid, client: { name: 'operator', kid: 'root/operator' } },
  })
  for (const token of [await assertAs(app, 'orders'), await assertAs(app, 'auth'), forged]) {
    const reply = await as(app, token, 'GET', '/v1/admin/users')
    t.equal(reply.statusCode, 401, reply.body)
  }
  const assertion = await assertAs(app, 'operator')
  t.equal((await as(app, assertion, 'GET', '/v1/me')).statusCode, 401, 'and it is no user')
})

t.test('each assertion works once', async (t) => {
  const app = await startAuth(t)
  const assertion = await assertAs(app, 'operator')
  t.equal((await as(app, assertion, 'GET', '/v1/admin/users')).statusCode, 200)
  const again = await as(app, assertion, 'GET', '/v1/admin/users')
  t.match(again.json(), { status: 401, code: 'assertion_used' })
})

t.test('lists users page by page, and by the beginning of their address', async (t) => {
  const app = await startAuth(t)
  for (const name of ['c', 'a', 'B', 'ab', 'a_', 'a%']) {
    await post(app, '/v1/register', { email: `${name}@example.com`, password })
  }
  const seen: string[] = []
  let after = ''
  do {
    const page = (
      await operate(app, 'GET', `users?limit=2&after=${encodeURIComponent(after)}`)
    ).json()
    seen.push(...page.users.map(({ email }: { email: string }) => email))
    after = page.next ?? ''
  } while (after !== '')
  t.equal(seen.length, 6)
  t.strictSame(
    seen,
    [...seen].sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1)),
  )
  const found = (await operate(app, 'GET', 'users?email_prefix=A')).json()
  t.equal(found.users.length, 4)
  t.match((await operate(app, 'GET', 'users?email_prefix=a%25')).json().users.length, 1)
})

t.test('records every call of the operator, also the refused ones', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const { sub } = claimsOf((await login(app, email)).access_token)
  await operate(app, 'GET', `users/${sub}`)
  await operate(app, 'PATCH', `users/${sub}`, { roles: ['admin'] })
  t.equal((await operate(app, 'DELETE', `users/${sub}`)).json().code, 'last_admin')
  t.equal((await operate(app, 'DELETE', `users/${sub}/sessions`)).statusCode, 204)
  const { events } = (await operate(app, 'GET', 'events?limit=5')).json()
  t.match(events, [
    { action: 'listEvents', actor: 'operator' },
    { action: 'endUserSessions', result: 'ok', actor: 'operator', subject_id: sub },
    { action: 'deleteUser', result: 'refused', detail: { code: 'last_admin' }, subject_id: sub },
    { action: 'changeUser', detail: { roles: ['admin'] }, network: '127.0.0.1' },
    { action: 'getUser', actor: 'operator', subject_id: sub },
  ])
})

t.test('filters events, and pages through them', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  for (let index = 0; index < 3; index += 1) await login(app, email)
  const { sub } = claimsOf((await login(app, email)).access_token)
  const list = async (query: string) => (await operate(app, 'GET', `events?${query}`)).json()
  const first = await list(`subject_id=${sub}&action=login&limit=3`)
  t.equal(first.events.length, 3)
  const rest = await list(`subject_id=${sub}&action=login&before=${first.next}`)
  t.equal(rest.events.length, 1)
  t.equal(rest.next, null)
  const soon = new Date(Date.now() + 60_000).toISOString()
  t.equal((await list(`action=login&since=${soon}`)).events.length, 0)
  t.equal((await list(`action=login&until=${soon}&since=2024-01-01T00:00:00Z`)).events.length, 4)
  const wrong = await operate(app, 'GET', 'events?since=0000-01-01T00:00:00Z')
  t.match(wrong.json(), { code: 'invalid_request' })
})

t.test('the database refuses to change, delete and truncate events', async (t) => {
  const app = await startAuth(t)
  await register(app)
  const refuses = (statement: string) => t.rejects(app.db.query(statement), { code: '42501' })
  await refuses(`UPDATE audit_events SET action = 'nothing'`)
  await refuses(`UPDATE audit_events SET network = NULL, client = NULL, result = 'refused'`)
  await refuses('UPDATE audit_events SET subject_id = NULL, network = NULL, client = NULL')
  await refuses('DELETE FROM audit_events')
  await refuses('TRUNCATE audit_events')
  await refuses('TRUNCATE audit_events CASCADE')
  t.equal((await app.db.query('SELECT FROM audit_events')).rowCount, 1)
})

t.test('latchkey users manages users', async (t) => {
  const config = await createConfig(t, { ...mailSettings, LATCHKEY_REGISTRATION: 'closed' })
  const app = await startInstance(t, config)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const options = ['--keys', config.LATCHKEY_KEYS_FILE, '--auth', url, '--issuer', issuer]
  const users = (...args: string[]) => latchkey('users', ...args, ...options)
  const email = 'ada@example.com'
  const created = await users('create', '--email', email, '--admin')
  t.match(created, { code: 0, stdout: /^Created ada@example.com .* A mail with a code/ })
  await post(app, '/v1/password-reset/confirm', { ...(await readCode(app, email)), password })
  await login(app, email)
  t.match(await users('create', '--email', email), { code: 1, stderr: /email_taken/ })
  t.match(await users('list'), { code: 0, stdout: /ada@example.com .* admin +enabled/ })
  t.match(await users('show', email), { code: 0, stdout: /email_verified +true/ })
  t.match(await users('show', 'ada@example.co'), { code: 1, stderr: /there is no user/ })
  for (const args of [
    ['disable', email],
    ['set-roles', email],
    ['delete', email, '--yes'],
  ]) {
    t.match(await users(...args), { code: 1, stderr: /last_admin/ }, args.join(' '))
  }
  await users('create', '--email', 'second@example.com', '--admin')
  t.match(await users('disable', email), { code: 0 })
  t.equal((await post(app, '/v1/login', { email, password })).statusCode, 401)
  t.match(await users('enable', email), { code: 0 })
  t.match(await users('set-roles', email, 'editor', 'auditor'), { stdout: /editor auditor/ })
  t.match(await users('reset-password', email), { code: 0 })
  t.equal((await readMail(app, email)).at(-1)?.kind, 'set-password')
  t.match(await users('end-sessions', email), { code: 0 })
  t.match(await users('delete', email), { code: 1, stderr: /--yes/ })
  t.match(await users('delete', email, '--yes'), { code: 0, stdout: /Deleted/ })
  t.match(await users('show', email), { code: 1 })
})
