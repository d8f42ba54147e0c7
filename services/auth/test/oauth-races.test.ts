import { setTimeout as sleep } from 'node:timers/promises'
import { inTransaction, type Service } from '@latchkey/service-kit'
import type { LightMyRequestResponse } from 'fastify'
import t from 'tap'
import type { RevocationList } from '../src/revocation/memory.ts'
import { restoreRevocations } from '../src/revocation/restore-store.ts'
import { countOpenSessions, revokeOpenSessions } from '../src/sessions/revoke-store.ts'
import { deleteExpiredSessions } from '../src/sessions/store.ts'
import {
  addClient,
  answerOf,
  authorizeParameters,
  basic,
  createPkce,
  postOAuth,
  redeem,
  signIn,
  TestBrowser,
} from './oauth-support.ts'
import {
  as,
  claimsOf,
  createConfig,
  password,
  post,
  register,
  startAuth,
  startInstance,
} from './support.ts'

/** How long the requests race, in milliseconds. */
const raceMs = 5_000

/** Sessions that are open although the one above them has ended. */
const orphans = `
  SELECT child.id FROM sessions AS child JOIN sessions AS parent ON parent.id = child.parent_id
   WHERE child.revoked_at IS NULL AND parent.revoked_at IS NOT NULL`

const one = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T

/** What browsers and apps of three users do, in any order. Each step returns its answers. */
function createSteps(instances: readonly Service[], emails: string[]) {
  const pick = () => one(instances)
  const browsers = [...emails, ...emails].map(() => new TestBrowser(...instances))
  const refreshTokens: string[] = ['']

  async function enter(browser: TestBrowser, prompt: Record<string, string>) {
    const { verifier, challenge } = createPkce()
    const asked = await browser.authorize({ ...authorizeParameters(challenge), ...prompt })
    const isLogin = asked.headers.location?.startsWith('../login')
    const reply = isLogin ? await browser.logIn(asked, one(emails)) : asked
    if (reply.statusCode !== 303) return [asked, reply]
    const redeemed = await redeem(pick(), answerOf(reply).code, verifier)
    if (redeemed.statusCode === 200) refreshTokens.push(redeemed.json().refresh_token)
    return [asked, reply, redeemed]
  }
  const useToken = async (path: 'token' | 'revoke') => {
    const token = one(refreshTokens.slice(-8))
    const fields = { grant_type: 'refresh_token', refresh_token: token, token }
    return [await postOAuth(pick(), path, fields, basic(pick(), 'orders'))]
  }
  const withLogin = async (use: (token: string) => Promise<LightMyRequestResponse>) => {
    const reply = await post(pick(), '/v1/login', { email: one(emails), password })
    return reply.statusCode === 200 ? [reply, await use(reply.json().access_token)] : [reply]
  }
  const enterAgain = () => enter(one(browsers), {})
  return [
    enterAgain,
    enterAgain,
    enterAgain,
    () => enter(one(browsers), { prompt: 'login' }),
    () => enter(one(browsers), { prompt: 'login' }),
    () => useToken('token'),
    () => useToken('token'),
    () => useToken('revoke'),
    async () => [await one(browsers).submit('/logout', {})],
    () => withLogin((token) => as(pick(), token, 'DELETE', '/v1/sessions')),
    () =>
      withLogin(async (token) => {
        const { email } = (await as(pick(), token, 'GET', '/v1/me')).json()
        const reply = await as(pick(), token, 'DELETE', '/v1/me', { password })
        if (reply.statusCode === 204) emails[emails.indexOf(email)] = await register(pick())
        return reply
      }),
  ]
}

t.test('no schedule of requests leaves an app signed in, or deadlocks', async (t) => {
  const limits = { LATCHKEY_LOGIN_LIMIT: 1_000_000, LATCHKEY_REGISTER_LIMIT: 1_000_000 }
  const config = await createConfig(t, limits)
  const app = await startInstance(t, config)
  const other = await startInstance(t, { ...config, LATCHKEY_INSTANCE: 'auth-2' })
  await addClient(app, 'orders')
  const emails = [await register(app), await register(app), await register(app)]
  const steps = createSteps([app, other], emails)
  const statuses = new Map<number, number>()
  const end = Date.now() + raceMs
  const race = async () => {
    while (Date.now() < end) {
      for (const { statusCode } of await one(steps)()) {
        statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1)
      }
    }
  }
  await Promise.all(Array.from({ length: 16 }, race))
  t.ok((statuses.get(200) ?? 0) > 50 && (statuses.get(303) ?? 0) > 50)
  // On a busy machine a statement may wait too long, which is answered with 503.
  t.strictSame(
    [...statuses.keys()].filter((status) => status >= 500 && status !== 503),
    [],
  )
  const { rows } = await app.db.query(
    'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
  )
  t.strictSame(rows, [{ deadlocks: 0 }])
  t.strictSame((await app.db.query(orphans)).rows, [])
})

/** Statements of this database that wait for a lock. */
const waiting = `
  SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`

t.test('an app that signs in while its user is deleted gets no code', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  await addClient(app, 'orders')
  const { browser } = await signIn(app, email)
  const [underWay] = await inTransaction(app.db, async (transaction) => {
    await transaction.query('DELETE FROM users WHERE email = $1', [email])
    const reply = browser.authorize(authorizeParameters(createPkce().challenge))
    while ((await app.db.query(waiting)).rowCount !== 1) await sleep(20)
    return [reply]
  })
  const reply = await underWay
  t.equal(reply?.statusCode, 400)
  t.match(reply?.body, 'login_expired')
})

t.test('an app opened while all sessions are ended, or restored, ends too', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  await addClient(app, 'orders')
  const first = await signIn(app, email)
  const { asOf } = await countOpenSessions(app.db)
  await signIn(app, email, first.browser)
  t.equal(await revokeOpenSessions(app.db, asOf), 3)

  const { tokens } = await signIn(app, email)
  const { sid } = claimsOf(tokens.access_token)
  const find = 'SELECT parent_id AS id FROM sessions WHERE id = $1'
  const parent = (await app.db.query<{ id: string }>(find, [sid])).rows[0]?.id ?? ''
  const lost = { sessions: [[parent, Date.now() / 1_000 + 60]], subjects: [] } as RevocationList
  const restored = await inTransaction(app.db, (transaction) =>
    restoreRevocations(transaction, lost),
  )
  t.equal(restored.sessions, 2)
  t.strictSame((await app.db.query(orphans)).rows, [])
})

t.test('an app ends the oldest of 1,000 sessions, but never that of its browser', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  await addClient(app, 'orders')
  const { browser } = await signIn(app, email)
  await app.db.query(`
    INSERT INTO sessions (id, user_id, parent_id, client_id, expires_at, network)
    SELECT gen_random_uuid(), user_id, parent_id, client_id, expires_at, network
      FROM sessions, generate_series(1, 1100) WHERE client_id = 'orders'`)
  const { tokens } = await signIn(app, email, browser)
  const { rowCount } = await app.db.query('SELECT FROM sessions WHERE revoked_at IS NULL')
  t.equal(rowCount, 1_001)
  const open = 'SELECT FROM sessions WHERE id = $1 AND revoked_at IS NULL'
  t.equal((await app.db.query(open, [claimsOf(tokens.access_token).sid])).rowCount, 1)
  t.ok(answerOf(await browser.authorize(authorizeParameters(createPkce().challenge))).code)
})

t.test('housekeeping waits for no session below another one', async (t) => {
  const app = await startAuth(t)
  await addClient(app, 'orders')
  await signIn(app, await register(app))
  await app.db.query(`UPDATE sessions SET expires_at = now() - interval '2 days'`)
  await inTransaction(app.db, async (transaction) => {
    await transaction.query('SELECT FROM sessions WHERE parent_id IS NOT NULL FOR UPDATE')
    await deleteExpiredSessions(app.db)
  })
  const count = async () => (await app.db.query('SELECT FROM sessions')).rowCount
  for (const left of [2, 1, 0]) {
    t.equal(await count(), left)
    await deleteExpiredSessions(app.db)
  }
})
