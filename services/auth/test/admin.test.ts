import { inTransaction, type Service } from '@latchkey/service-kit'
import { mintToken } from '@latchkey/verify/testing'
import t from 'tap'
import { type LockedUser, lockWithAdmins } from '../src/accounts/delete-store.ts'
import { changeUser } from '../src/admin/store.ts'
import {
  as,
  claimsOf,
  issuer,
  login,
  password,
  post,
  refresh,
  register,
  signingSecretOf,
  startAuth,
} from './support.ts'

/** Registers and logs in an admin. @returns the access token */
async function loginAsAdmin(app: Service): Promise<string> {
  const email = await register(app)
  await app.db.query(`UPDATE users SET roles = '{admin}' WHERE email = $1`, [email])
  return (await login(app, email)).access_token
}

const setRoles = (app: Service, userId: string, roles: string[]) =>
  inTransaction(app.db, async (transaction) => {
    const user = await lockWithAdmins(transaction, { userId, sessionId: undefined })
    const event = { action: 'changeUser', actor: 'auth' } as const
    const change = { roles, scope: undefined, disabled: undefined, event }
    return changeUser(transaction, user as LockedUser, change)
  })

/** The revocations so far, in their order. */
const revocations = async (app: Service) =>
  (await app.db.query('SELECT kind, id, not_before AS "notBefore" FROM revocations ORDER BY seq'))
    .rows

t.test('disabling a user ends and revokes the sessions and refuses logins', async (t) => {
  const app = await startAuth(t)
  const admin = await loginAsAdmin(app)
  const email = await register(app)
  const { access_token, refresh_token } = await login(app, email)
  const { sub, sid } = claimsOf(access_token)
  const change = (payload: object) => as(app, admin, 'PATCH', `/v1/admin/users/${sub}`, payload)
  t.match((await change({ disabled: true })).json(), { id: sub, disabled: true })
  t.equal((await refresh(app, refresh_token)).statusCode, 401)
  t.equal((await as(app, access_token, 'GET', '/v1/me')).statusCode, 401)
  t.equal((await post(app, '/v1/login', { email, password })).statusCode, 401)
  t.match(await revocations(app), [{ kind: 'session', id: sid }])
  t.equal((await change({ disabled: false })).statusCode, 200)
  await login(app, email)
})

t.test('removing a role revokes earlier tokens and keeps the session open', async (t) => {
  const app = await startAuth(t)
  const admin = await loginAsAdmin(app)
  const email = await register(app)
  await app.db.query(`UPDATE users SET roles = '{editor,admin}' WHERE email = $1`, [email])
  const before = await login(app, email)
  const { sub, iat } = claimsOf(before.access_token)
  const change = (roles: string[]) => as(app, admin, 'PATCH', `/v1/admin/users/${sub}`, { roles })
  t.match((await change(['editor'])).json(), { roles: ['editor'] })
  const [{ id, notBefore }] = await revocations(app)
  t.equal(id, sub)
  t.ok(iat < notBefore, 'earlier tokens are revoked')
  t.equal((await as(app, before.access_token, 'GET', '/v1/me')).statusCode, 401)
  const after = (await refresh(app, before.refresh_token)).json()
  t.match(claimsOf(after.access_token), { roles: ['editor'] })
  t.ok(claimsOf(after.access_token).iat >= notBefore, 'later tokens are valid')
  t.equal((await as(app, after.access_token, 'GET', '/v1/me')).statusCode, 200)
  t.equal((await change(['editor', 'auditor'])).statusCode, 200)
  t.equal((await revocations(app)).length, 1, 'adding a role revokes nothing')
})

t.test('issues no valid token with a role that is removed during a refresh', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  for (let round = 0; round < 15; round += 1) {
    await app.db.query(`UPDATE users SET roles = '{admin}'`)
    const sessions = await Promise.all([login(app, email), login(app, email), login(app, email)])
    const { sub } = claimsOf(sessions[0]?.access_token ?? '')
    const [, ...refreshed] = await Promise.all([
      setRoles(app, sub, []),
      ...sessions.map(({ refresh_token }) => refresh(app, refresh_token)),
    ])
    const { rows } = await app.db.query('SELECT tokens_not_before::int AS boundary FROM users')
    const [{ boundary }] = rows
    const revoked = new Set((await revocations(app)).map(({ id }) => id))
    for (const reply of refreshed) {
      if (reply.statusCode === 401) continue // After many rounds a second the sessions end.
      const { roles, iat, sid } = claimsOf(reply.json().access_token)
      const isValid = iat >= boundary && !revoked.has(sid)
      t.ok(roles.length === 0 || !isValid, `roles ${roles}, ${iat} of ${boundary}`)
    }
  }
})

t.test('removing roles repeatedly does not date tokens into the future', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const { sub } = claimsOf((await login(app, email)).access_token)
  const roles = Array.from({ length: 9 }, (_, i) => `role ${i}`)
  while (roles.pop() !== undefined) await setRoles(app, sub, roles)
  const { iat } = claimsOf((await login(app, email)).access_token)
  t.ok(iat - Date.now() / 1_000 <= 3, `${iat - Date.now() / 1_000} s ahead`)
})

t.test('admin routes require the role in the token and in the database', async (t) => {
  const app = await startAuth(t)
  const { access_token } = await login(app, await register(app))
  const find = async (token: string, email: string) =>
    (await as(app, token, 'GET', `/v1/admin/users?email_prefix=${email}`)).json()
  t.match(await find(access_token, 'x'), { status: 403, code: 'role_insufficient' })
  const admin = await loginAsAdmin(app)
  t.strictSame(await find(admin, 'none@example.com'), { users: [], next: null })
  await app.db.query(`UPDATE users SET roles = '{}'`)
  t.match(await find(admin, 'x'), { code: 'token_revoked' })
})

t.test('refuses tokens whose session, subject and grants do not agree', async (t) => {
  const app = await startAuth(t)
  const admin = claimsOf(await loginAsAdmin(app))
  const own = claimsOf((await login(app, await register(app))).access_token)
  const key = signingSecretOf(app)
  /** A token that a service could sign. */
  const forge = (claims: object) =>
    mintToken({ key, issuer, audience: 'latchkey:auth', claims: { ...own, ...claims } })
  // biome-ignore format: a table
  const forged: [name: string, claims: object][] = [
    ["an admin's ID and one's own session", { sub: admin.sub, roles: ['admin'] }],
    ["one's own ID and an admin's session", { sid: admin.sid, roles: ['admin'] }],
    ['a role the user does not have',       { roles: ['admin'] }],
    ['a scope the user does not have',      { scope: 'orders:read admin:all' }],
    ['no session',                          { sid: undefined }],
    ['no time of issue',                    { iat: undefined }],
    ['a session that is not a UUID',        { sid: "'; DROP TABLE users" }],
    ['a subject that is not a UUID',        { sub: 'urn:uuid:\0' }],
    ['a role with a NUL character',         { roles: ['\0'] }],
  ]
  const paths = ['/v1/me', '/v1/sessions', `/v1/admin/users/${admin.sub}`] as const
  for (const [name, claims] of forged) {
    for (const path of paths) {
      const reply = await as(app, forge(claims), 'GET', path)
      t.match(String(reply.statusCode), /^40[13]$/, `${name}: ${path}`)
    }
    const change = { roles: ['admin'] }
    const promoted = await as(app, forge(claims), 'PATCH', `/v1/admin/users/${own.sub}`, change)
    t.match(String(promoted.statusCode), /^40[13]$/, name)
  }
  for (const claims of [{ sid: 'x' }, { sub: 'x' }, { sid: undefined }]) {
    const reply = await as(app, forge(claims), 'POST', '/v1/logout')
    t.equal(reply.statusCode, 401, 'logs nobody out')
  }
  t.equal((await as(app, forge({ iat: own.iat + 0.5 }), 'GET', '/v1/me')).statusCode, 200)
})

t.test('refuses a change by an admin who was disabled while it waited', async (t) => {
  const app = await startAuth(t)
  const accomplice = await register(app)
  const { sub } = claimsOf((await login(app, accomplice)).access_token)
  const [banned, admin] = [await loginAsAdmin(app), await loginAsAdmin(app)]
  const waits = async (change: () => Promise<{ json(): object }>) => {
    const blocker = await app.db.connect()
    await blocker.query('BEGIN')
    await blocker.query('SELECT FROM users WHERE id = $1 FOR UPDATE', [sub])
    const waiting = change()
    const isWaiting = `SELECT FROM pg_locks WHERE NOT granted AND pid IN (
      SELECT pid FROM pg_stat_activity WHERE datname = current_database())`
    while ((await app.db.query(isWaiting)).rows.length === 0);
    return { waiting, free: () => blocker.query('COMMIT').then(() => blocker.release()) }
  }
  const promote = () => as(app, banned, 'PATCH', `/v1/admin/users/${sub}`, { roles: ['admin'] })
  const promotion = await waits(promote)
  const path = `/v1/admin/users/${claimsOf(banned).sub}`
  t.equal((await as(app, admin, 'PATCH', path, { disabled: true })).statusCode, 200)
  await promotion.free()
  t.match((await promotion.waiting).json(), { status: 401, code: 'token_revoked' })

  await as(app, admin, 'PATCH', path, { disabled: false })
  const deletion = await waits(() => as(app, admin, 'DELETE', `/v1/admin/users/${sub}`))
  await as(app, admin, 'POST', '/v1/logout')
  await deletion.free()
  t.match((await deletion.waiting).json(), { code: 'token_revoked' }, 'also after a logout')
  const { rows } = await app.db.query('SELECT roles FROM users WHERE id = $1', [sub])
  t.strictSame(rows, [{ roles: [] }])
})

t.test('keeps one admin, whoever removes whom', async (t) => {
  const app = await startAuth(t)
  const only = await loginAsAdmin(app)
  const pathOf = (token: string) => `/v1/admin/users/${claimsOf(token).sub}`
  for (const change of [{ disabled: true }, { roles: ['editor'] }, { roles: [] }]) {
    const reply = await as(app, only, 'PATCH', pathOf(only), change)
    t.match(reply.json(), { status: 409, code: 'last_admin' })
  }
  t.match((await as(app, only, 'DELETE', pathOf(only))).json(), { code: 'last_admin' })
  const change = { scope: 'all', roles: ['admin', 'editor'] }
  t.equal((await as(app, only, 'PATCH', pathOf(only), change)).statusCode, 200)
  for (let round = 0; round < 5; round += 1) {
    await app.db.query(`UPDATE users SET roles = '{}'`)
    const [one, two] = [await loginAsAdmin(app), await loginAsAdmin(app)]
    await Promise.all([
      as(app, one, 'PATCH', pathOf(round % 2 ? two : one), { roles: [] }),
      as(app, two, 'PATCH', pathOf(round % 2 ? one : two), { disabled: true }),
    ])
    const { rows } = await app.db.query(
      `SELECT FROM users WHERE 'admin' = ANY (roles) AND disabled_at IS NULL`,
    )
    t.equal(rows.length, 1)
  }
})

t.test('deletes a user, and revokes the sessions', async (t) => {
  const app = await startAuth(t)
  const admin = await loginAsAdmin(app)
  const email = await register(app)
  const { access_token, refresh_token } = await login(app, email)
  const { sub, sid } = claimsOf(access_token)
  t.equal((await as(app, admin, 'DELETE', `/v1/admin/users/${sub}`)).statusCode, 204)
  t.match(await revocations(app), [
    { kind: 'subject', id: sub },
    { kind: 'session', id: sid },
  ])
  t.equal((await refresh(app, refresh_token)).statusCode, 401)
  t.equal((await post(app, '/v1/login', { email, password })).statusCode, 401)
  const again = await as(app, admin, 'DELETE', `/v1/admin/users/${sub}`)
  t.match(again.json(), { status: 404, code: 'user_not_found' })
})

t.test('ends the sessions when the clock is behind the last removal of a role', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const { access_token } = await login(app, email)
  const { sub, sid } = claimsOf(access_token)
  await app.db.query(`UPDATE users SET roles = '{editor}',
    tokens_not_before = extract(epoch FROM now())::bigint + 30`)
  await setRoles(app, sub, [])
  t.match(await revocations(app), [{ kind: 'subject' }, { kind: 'session', id: sid }])
  const { rows } = await app.db.query('SELECT roles FROM users')
  t.strictSame(rows, [{ roles: [] }])

  // A token from before the clock was set back, ahead of a boundary that could move.
  const later = claimsOf((await login(app, email)).access_token)
  await app.db.query(`UPDATE users SET roles = '{editor}', tokens_not_before = 0`)
  await app.db.query(`UPDATE sessions SET refreshed_at = now() + interval '10 s' WHERE id = $1`, [
    later.sid,
  ])
  await setRoles(app, sub, [])
  t.match((await revocations(app)).at(-1), { kind: 'session', id: later.sid })
})

t.test('records who changed whom', async (t) => {
  const app = await startAuth(t)
  const admin = await loginAsAdmin(app)
  const { sub } = claimsOf((await login(app, await register(app))).access_token)
  await as(app, admin, 'PATCH', `/v1/admin/users/${sub}`, { roles: ['editor'] })
  await as(app, admin, 'DELETE', `/v1/admin/users/${sub}`)
  const by = { actor: 'admin', actor_id: claimsOf(admin).sub, subject_id: sub, result: 'ok' }
  const { events } = (await as(app, admin, 'GET', `/v1/admin/events?subject_id=${sub}`)).json()
  t.match(events.slice(0, 2), [
    { ...by, action: 'deleteUser' },
    { ...by, action: 'changeUser', detail: { roles: ['editor'] } },
  ])
})
