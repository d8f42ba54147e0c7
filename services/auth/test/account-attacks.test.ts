import { setTimeout as sleep } from 'node:timers/promises'
import { inTransaction } from '@latchkey/service-kit'
import t from 'tap'
import { forgetCodes, offerUndo } from '../src/accounts/codes-store.ts'
import { codeTtl, createCode } from '../src/accounts/new-code.ts'
import { changeEmail, changePassword } from '../src/accounts/store.ts'
import { mailSettings, readCode } from './mail-support.ts'
import { as, assertAs, claimsOf, login, password, post, register, startAuth } from './support.ts'

const settings = { ...mailSettings, LATCHKEY_REGISTRATION: 'open' } as const
const fresh = 'seven green umbrellas'
const event = { action: 'test', actor: 'auth' } as const
/** Statements of this database that wait for a lock. */
const waiting = `
  SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`

t.test('the limits on guesses do not reveal which address has an account', async (t) => {
  const app = await startAuth(t, settings)
  const [known, disabled] = [await register(app), await register(app)]
  await app.db.query(`UPDATE users SET registered_from = '192.0.2.9'`)
  await app.db.query('UPDATE users SET disabled_at = now() WHERE email = $1', [disabled])
  for (const email of [known, disabled, 'nobody@example.com']) {
    const { verification_id } = (await post(app, '/v1/password-reset', { email })).json()
    for (let attempt = 0; attempt < 11; attempt += 1) {
      await post(app, '/v1/login', { email, password: 'wrong' })
    }
    const guess = { verification_id, code: '00000000', password: fresh }
    const reply = await post(app, '/v1/password-reset/confirm', guess)
    t.match(reply.json(), { code: 'too_many_failures' }, email)
  }
})

t.test('a reset requested while the address changes is of no use to the old one', async (t) => {
  const app = await startAuth(t, settings)
  const email = await register(app)
  const { sub: userId } = claimsOf((await login(app, email)).access_token)
  await inTransaction(app.db, async (transaction) => {
    await changeEmail(transaction, { userId, email: 'new@example.com', event })
    await forgetCodes(transaction, userId)
    t.equal((await post(app, '/v1/password-reset', { email })).statusCode, 202)
  })
  const body = { ...(await readCode(app, email)), password: fresh }
  const reply = await post(app, '/v1/password-reset/confirm', body)
  t.match(reply.json(), { code: 'code_invalid' })
  await login(app, 'new@example.com')
})

t.test('a request under way when the password is reset changes nothing', async (t) => {
  const app = await startAuth(t, settings)
  const email = await register(app)
  const { access_token } = await login(app, email)
  const { sub: userId } = claimsOf(access_token)
  const underWay = await inTransaction(app.db, async (transaction) => {
    await changePassword(transaction, { userId, passwordHash: 'x', event })
    await forgetCodes(transaction, userId)
    const replies = [
      as(app, access_token, 'DELETE', '/v1/me', { password }),
      as(app, access_token, 'POST', '/v1/me/email', { email: 'thief@example.com', password }),
    ]
    // Both have verified the old password, and wait for the row of the user.
    while ((await app.db.query(waiting)).rowCount !== 2) await sleep(20)
    return replies
  })
  for (const reply of underWay) t.match((await reply).json(), { code: 'token_revoked' })
  t.strictSame((await app.db.query('SELECT email FROM users')).rows, [{ email }])
  t.equal((await app.db.query('SELECT FROM mailed_codes')).rowCount, 0)
})

t.test('logouts and resets at the same time do not deadlock', async (t) => {
  const app = await startAuth(t, settings)
  const email = await register(app)
  for (let round = 0; round < 10; round += 1) {
    await post(app, '/v1/password-reset', { email })
    const code = await readCode(app, email)
    const sessions = await Promise.all(
      Array.from({ length: 10 }, async () => (await login(app, email)).refresh_token),
    )
    const replies = await Promise.all([
      post(app, '/v1/password-reset/confirm', { ...code, password }),
      ...sessions.map(async (refresh_token) => {
        await sleep(Math.random() * 40)
        return post(app, '/v1/logout', { refresh_token })
      }),
    ])
    t.strictSame(new Set(replies.map((reply) => reply.statusCode)), new Set([204]))
  }
})

t.test('a thief cannot register the old address while it changes', async (t) => {
  const app = await startAuth(t, settings)
  const email = await register(app)
  const { sub: userId } = claimsOf((await login(app, email)).access_token)
  const { code: undo } = await createCode(app, {
    recipient: email,
    page: 'account',
    ttlSeconds: codeTtl.unasked,
  })
  const registration = await inTransaction(app.db, async (transaction) => {
    await changeEmail(transaction, { userId, email: 'thief@example.com', event })
    const reply = post(app, '/v1/register', { email, password })
    while ((await app.db.query(waiting)).rowCount !== 1) await sleep(20)
    await offerUndo(transaction, { userId, email }, undo)
    return [reply]
  })
  t.match((await registration[0])?.json(), { code: 'email_taken' })
  t.equal((await post(app, '/v1/me/email/undo', await readCode(app, email))).statusCode, 204)
})

t.test('nobody can fill the audit log, or forge who was refused', async (t) => {
  const app = await startAuth(t, settings)
  const { access_token } = await login(app, await register(app))
  const change = () => as(app, access_token, 'PATCH', '/v1/me', { locale: 'de' })
  const changes = await Promise.all(Array.from({ length: 40 }, change))
  t.equal(changes.filter(({ statusCode }) => statusCode === 200).length, 20)
  const read = () => as(app, access_token, 'GET', '/v1/me/export')
  const exports = await Promise.all(Array.from({ length: 40 }, read))
  t.equal(exports.filter(({ statusCode }) => statusCode === 200).length, 5)
  const assertion = await assertAs(app, 'operator')
  for (const status of [200, 401, 401]) {
    const reply = await as(app, assertion, 'GET', '/v1/admin/users')
    t.equal(reply.statusCode, status)
  }
  const { rowCount } = await app.db.query(`SELECT FROM audit_events WHERE actor = 'operator'`)
  t.equal(rowCount, 1)
})

t.test('no schema of another name makes the audit log forget', async (t) => {
  const app = await startAuth(t, settings)
  await register(app)
  const forget = inTransaction(app.db, async (transaction) => {
    await transaction.query(`
      CREATE SCHEMA evil;
      CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql
        AS $$ SELECT pg_catalog.now() + interval '1 year' $$;
      SET LOCAL search_path = evil, pg_catalog, public`)
    await transaction.query('DELETE FROM audit_events')
  })
  await t.rejects(forget, { code: '42501' })
})
