import type { Service } from '@latchkey/service-kit'
import t from 'tap'
import { mailSettings, readCode, readMail } from './mail-support.ts'
import { as, claimsOf, login, password, post, refresh, register, startAuth } from './support.ts'

const settings = { ...mailSettings, LATCHKEY_REGISTRATION: 'open' } as const
const fresh = 'seven green umbrellas'

const ask = (app: Service, token: string, email: string, secret = password) =>
  as(app, token, 'POST', '/v1/me/email', { email, password: secret })

/** Changes the address of a user, who has confirmed the new one. */
async function change(app: Service, token: string, email: string): Promise<void> {
  const asked = await ask(app, token, email)
  if (asked.statusCode !== 202) throw new Error(asked.body)
  const reply = await post(app, '/v1/me/email/confirm', await readCode(app, email))
  if (reply.statusCode !== 204) throw new Error(reply.body)
}

t.test('the new address confirms before anything changes', async (t) => {
  const app = await startAuth(t, settings)
  const email = await register(app)
  const { access_token } = await login(app, email)
  t.match((await ask(app, access_token, 'new@example.com', 'wrong')).json(), {
    status: 403,
    code: 'invalid_credentials',
  })
  t.equal((await ask(app, access_token, 'new@example.com')).statusCode, 202)
  t.match((await as(app, access_token, 'GET', '/v1/me')).json(), { email })
  await post(app, '/v1/me/email/confirm', await readCode(app, 'new@example.com'))
  const me = (await as(app, access_token, 'GET', '/v1/me')).json()
  t.match(me, { email: 'new@example.com', email_verified: true })
  await login(app, 'new@example.com')
  t.equal((await post(app, '/v1/login', { email, password })).statusCode, 401)
})

t.test('for the current address, it verifies it', async (t) => {
  const app = await startAuth(t, settings)
  const email = await register(app)
  const { access_token } = await login(app, email)
  await change(app, access_token, email)
  t.match((await as(app, access_token, 'GET', '/v1/me')).json(), { email, email_verified: true })
  t.notOk((await readMail(app, email)).some(({ kind }) => kind === 'email-changed'))
})

t.test('the old address can undo it, which ends all sessions and the password', async (t) => {
  const app = await startAuth(t, settings)
  const email = await register(app)
  const { access_token, refresh_token } = await login(app, email)
  await change(app, access_token, 'thief@example.com')
  const undo = await readCode(app, email)
  t.match((await readMail(app, email)).at(-1), { kind: 'email-changed', link: /undo=1/ })
  t.equal((await post(app, '/v1/me/email/undo', undo)).statusCode, 204)
  t.equal((await refresh(app, refresh_token)).statusCode, 401)
  for (const address of [email, 'thief@example.com']) {
    const reply = await post(app, '/v1/login', { email: address, password })
    t.equal(reply.statusCode, 401, 'the thief knows the password')
  }
  t.equal((await readMail(app, email)).at(-1)?.kind, 'set-password')
  const body = { ...(await readCode(app, email)), password: fresh }
  t.equal((await post(app, '/v1/password-reset/confirm', body)).statusCode, 204)
  t.equal((await post(app, '/v1/login', { email, password: fresh })).statusCode, 200)
  t.match((await post(app, '/v1/me/email/undo', undo)).json(), { code: 'code_invalid' })
})

t.test('a thief who changes the address twice, or resets, cannot make it final', async (t) => {
  const app = await startAuth(t, settings)
  const email = await register(app)
  const { access_token } = await login(app, email)
  await change(app, access_token, 'thief@example.com')
  const undo = await readCode(app, email)
  await change(app, access_token, 'other@example.com')
  await post(app, '/v1/password-reset', { email: 'other@example.com' })
  const reset = { ...(await readCode(app, 'other@example.com')), password: fresh }
  t.equal((await post(app, '/v1/password-reset/confirm', reset)).statusCode, 204)
  const thief = await readCode(app, 'thief@example.com')
  t.equal((await post(app, '/v1/me/email/undo', undo)).statusCode, 204)
  t.match((await app.db.query('SELECT email FROM users')).rows, [{ email }])
  t.match((await post(app, '/v1/me/email/undo', thief)).json(), { code: 'code_invalid' })
})

t.test('nobody gets an address that its former owner can restore', async (t) => {
  const app = await startAuth(t, settings)
  const email = await register(app)
  await change(app, (await login(app, email)).access_token, 'thief@example.com')
  t.match((await post(app, '/v1/register', { email, password })).json(), { code: 'email_taken' })
  const other = await login(app, await register(app))
  t.equal((await ask(app, other.access_token, email)).statusCode, 202)
  const taken = await post(app, '/v1/me/email/confirm', await readCode(app, email))
  t.match(taken.json(), { status: 409, code: 'email_taken' })
  await app.db.query(`UPDATE mailed_codes SET expires_at = now() WHERE kind = 'email-undo'`)
  t.equal((await post(app, '/v1/register', { email, password })).statusCode, 201)
})

t.test('tells the owner of an address that has an account, and only them', async (t) => {
  const app = await startAuth(t, settings)
  const taken = await register(app)
  const { access_token } = await login(app, await register(app))
  const [known, unknown] = [
    await ask(app, access_token, taken),
    await ask(app, access_token, 'new@example.com'),
  ]
  t.equal(known.statusCode, unknown.statusCode)
  t.equal(known.body.length, unknown.body.length)
  t.match(await readMail(app, taken), [{ kind: 'email-taken' }])
})

t.test('of two users who confirm one address at the same time, one gets it', async (t) => {
  const app = await startAuth(t, settings)
  const users = await Promise.all([register(app), register(app)])
  const codes: object[] = []
  for (const user of users) {
    await ask(app, (await login(app, user)).access_token, 'new@example.com')
    codes.push(await readCode(app, 'new@example.com'))
  }
  const replies = await Promise.all(codes.map((code) => post(app, '/v1/me/email/confirm', code)))
  t.strictSame(replies.map(({ statusCode }) => statusCode).sort(), [204, 409])
})

t.test('a disabled user changes and restores nothing', async (t) => {
  const app = await startAuth(t, settings)
  const email = await register(app)
  const { access_token } = await login(app, email)
  await ask(app, access_token, 'new@example.com')
  await app.db.query('UPDATE users SET disabled_at = now() WHERE id = $1', [
    claimsOf(access_token).sub,
  ])
  const reply = await post(app, '/v1/me/email/confirm', await readCode(app, 'new@example.com'))
  t.match(reply.json(), { code: 'code_invalid' })
})
