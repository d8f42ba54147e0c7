import { createHash, randomBytes } from 'node:crypto'
import { createUuid, inTransaction, type Service } from '@latchkey/service-kit'
import { findEmails } from '../../services/auth/src/accounts/store.ts'
import { listStandbys, readServer } from '../../services/auth/src/cli/doctor/server-store.ts'
import { housekeepingTasks } from '../../services/auth/src/housekeeping.ts'
import { operator } from '../../services/auth/src/keys/jwk.ts'
import {
  buryMail,
  claimMail,
  countMail,
  deleteDeadMail,
  deleteMail,
  postponeMail,
} from '../../services/auth/src/mail/outbox-store.ts'
import { replacePasswordHash } from '../../services/auth/src/passwords/store.ts'
import {
  listRecoveries,
  recordRecovery,
} from '../../services/auth/src/revocation/recoveries-store.ts'
import { restoreRevocations } from '../../services/auth/src/revocation/restore-store.ts'
import { findNewestRevocation } from '../../services/auth/src/revocation/store.ts'
import {
  countOpenSessions,
  revokeLostSession,
  revokeOpenSessions,
} from '../../services/auth/src/sessions/revoke-store.ts'
import { listAuthInstances } from '../../services/auth/src/verifiers/store.ts'
import { assertAs, FormBrowser, readCode, send, type Tokens } from './auth-client.ts'

const [password, newPassword] = ['a walk by the seaside 17', 'seven green umbrellas 42']

/**
 * Runs every statement of an auth service at least once: by its routes, and what only commands and
 * timers run by its function. tools/test-kit/test/indexes.test.ts names a statement that is missing.
 *
 * @throws Error when a request is not answered as expected
 */
export async function tourAuth(app: Service): Promise<void> {
  const admin = { email: createEmail(), password, roles: ['admin'] }
  const token = await assertAs(app, operator)
  const { id } = await send<{ id: string }>(app, 201, 'POST /v1/admin/users', {
    token,
    payload: admin,
  })
  await tourAccount(app)
  await tourApps(app)
  await tourEmails(app)
  await tourAdmin(app, await login(app, admin.email, password))
  await tourFeed(app)
  await tourCommands(app, id)
  await tourMail(app)
  for (const task of housekeepingTasks) await task(app.db, app.config)
}

/** From the registration to the deletion. */
async function tourAccount(app: Service): Promise<void> {
  const email = createEmail()
  await register(app, email)
  await send(app, 401, 'POST /v1/login', { payload: { email, password: newPassword } })
  const first = await login(app, email, password)
  const { refresh_token } = first
  await send(app, 200, 'POST /v1/refresh', { payload: { refresh_token } })
  const changed = await send<Tokens>(app, 200, 'POST /v1/me/password', {
    token: first.access_token,
    payload: { current_password: password, new_password: newPassword },
  })
  await send(app, 401, 'POST /v1/refresh', { payload: { refresh_token } })
  const token = changed.access_token
  await send(app, 200, 'GET /v1/me', { token })
  await send(app, 200, 'PATCH /v1/me', { token, payload: { display_name: 'Ada', locale: 'en' } })
  await send(app, 200, 'GET /v1/me/events', { token })
  await send(app, 200, 'GET /v1/me/events?before=9&limit=1', { token })
  await send(app, 200, 'GET /v1/me/export', { token })
  type List = { sessions: { id: string }[] }
  const { sessions } = await send<List>(app, 200, 'GET /v1/sessions', { token })
  await send(app, 204, `DELETE /v1/sessions/${sessions[0]?.id}`, { token })
  const second = await login(app, email, newPassword)
  await send(app, 204, 'DELETE /v1/sessions', { token: second.access_token })
  const third = await login(app, email, newPassword)
  await send(app, 204, 'POST /v1/logout', { payload: { refresh_token: third.refresh_token } })

  await send(app, 202, 'POST /v1/password-reset', { payload: { email } })
  const code = await readCode(app, email)
  await send(app, 204, 'POST /v1/password-reset/confirm', { payload: { ...code, password } })
  const last = await login(app, email, password)
  await send(app, 204, 'DELETE /v1/me', { token: last.access_token, payload: { password } })
}

/** A change of the address, and its undoing. */
async function tourEmails(app: Service): Promise<void> {
  const [email, newEmail] = [createEmail(), createEmail()]
  await register(app, email)
  const { access_token: token } = await login(app, email, password)
  await send(app, 202, 'POST /v1/me/email', { token, payload: { email: newEmail, password } })
  await send(app, 204, 'POST /v1/me/email/confirm', { payload: await readCode(app, newEmail) })
  await send(app, 204, 'POST /v1/me/email/undo', { payload: await readCode(app, email) })
}

async function tourAdmin(app: Service, { access_token: token }: Tokens): Promise<void> {
  const email = createEmail()
  const payload = { email, roles: ['editor'] }
  const { id } = await send<{ id: string }>(app, 201, 'POST /v1/admin/users', { token, payload })
  await send(app, 200, 'GET /v1/admin/users', { token })
  await send(app, 200, `GET /v1/admin/users?email_prefix=tour-&after=${email}`, { token })
  const user = `/v1/admin/users/${id}`
  await send(app, 200, `GET ${user}`, { token })
  const change = { roles: [], scope: '', disabled: true }
  await send(app, 200, `PATCH ${user}`, { token, payload: change })
  await send(app, 200, `PATCH ${user}`, { token, payload: { disabled: false } })
  await send(app, 204, `POST ${user}/password-reset`, { token })
  await send(app, 204, `DELETE ${user}/sessions`, { token })
  await send(app, 204, `DELETE ${user}`, { token })
  await send(app, 404, `GET ${user}`, { token })

  const filters = ['', `subject_id=${id}`, `actor_id=${id}`, 'action=login', 'before=1000']
  const times = ['since=2026-01-01T00:00:00Z', 'until=2026-12-31T00:00:00Z']
  for (const filter of [...filters, ...times, times.join('&'), `${filters[3]}&${filters[1]}`]) {
    await send(app, 200, `GET /v1/admin/events?${filter}`, { token })
  }
}

async function tourFeed(app: Service): Promise<void> {
  const token = await assertAs(app, 'orders')
  const { cursor } = await send<{ cursor: string }>(app, 200, 'GET /v1/revocations', { token })
  await send(app, 200, `GET /v1/revocations?after=${cursor}`, { token })
  await send(app, 200, 'GET /v1/keys/status', { token: await assertAs(app, operator) })
}

/** A browser that logs in twice, and an app that it signs in to. */
async function tourApps(app: Service): Promise<void> {
  const email = createEmail()
  await register(app, email)
  const token = () => assertAs(app, operator)
  const uri = 'https://tour.example.com/callback'
  const uris = { redirect_uris: [uri], post_logout_uris: [uri] }
  const client = { kind: 'public', audiences: ['orders'], scope: 'openid', ...uris }
  const path = '/v1/admin/clients'
  await send(app, 200, `PUT ${path}/tour`, { token: await token(), payload: client })
  await send(app, 200, `PATCH ${path}/tour`, { token: await token(), payload: { disabled: false } })
  await send(app, 200, `GET ${path}`, { token: await token() })

  const browser = new FormBrowser(app)
  await browser.submit('/login', { email, password })
  await browser.submit('/login', { email, password })
  await browser.open('/account')
  const verifier = randomBytes(32).toString('base64url')
  const query = new URLSearchParams({
    ...{ client_id: 'tour', redirect_uri: uri, response_type: 'code', scope: 'openid' },
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  const { searchParams } = new URL(await browser.open(`/oauth/authorize?${query}`))
  const grant = { grant_type: 'authorization_code', client_id: 'tour', redirect_uri: uri }
  const redemption = { ...grant, code: searchParams.get('code') ?? '', code_verifier: verifier }
  await browser.submit('/oauth/token', redemption)
  await browser.submit('/oauth/token', redemption)
  await browser.submit('/logout', {})
}

/** What only commands, or rare events such as a failover, run. */
async function tourCommands(app: Service, userId: string): Promise<void> {
  const { db } = app
  await readServer(db)
  await listStandbys(db)
  await findNewestRevocation(db)
  await listAuthInstances(db)
  await listRecoveries(db, 24)
  await findEmails(db, [userId])
  const [sessionId, expires] = [createUuid(), Math.ceil(Date.now() / 1_000) + 60]
  await revokeLostSession(db, { sessionId, maxAgeSeconds: 60 })
  await inTransaction(db, async (transaction) => {
    const lost = { sessions: [[sessionId, expires]], subjects: [[createUuid(), 1, expires]] }
    const restored = await restoreRevocations(transaction, lost as never)
    const id = await recordRecovery(transaction, restored, { id: undefined, instance: 'tour' })
    await recordRecovery(transaction, restored, { id, instance: 'tour' })
  })
  await replacePasswordHash(db, { userId, passwordVersion: -1, passwordHash: '' })
  await countOpenSessions(db)
  await revokeOpenSessions(db, '-infinity')
}

/** What the sender of mail runs. */
async function tourMail({ db }: Service): Promise<void> {
  await claimMail(db, 60)
  await countMail(db)
  const id = createUuid()
  await postponeMail(db, id, 60)
  await buryMail(db, id)
  await deleteMail(db, id)
  await deleteDeadMail(db)
}

const createEmail = () => `tour-${randomBytes(6).toString('hex')}@example.com`

async function register(app: Service, email: string): Promise<void> {
  await send(app, 202, 'POST /v1/register', { payload: { email } })
  const code = await readCode(app, email)
  await send(app, 201, 'POST /v1/email-verification/confirm', { payload: { ...code, password } })
}

const login = (app: Service, email: string, password: string): Promise<Tokens> =>
  send(app, 200, 'POST /v1/login', { payload: { email, password } })
