import { setTimeout as sleep } from 'node:timers/promises'
import { startEmbeddedPostgres } from '@latchkey/embedded-postgres'
import type { Service } from '@latchkey/service-kit'
import t from 'tap'
import {
  as,
  claimsOf,
  login,
  password,
  poll,
  post,
  refresh,
  register,
  startAuth,
  type Tokens,
} from './support.ts'

/** Refreshes a session while a transaction changes it, which does not wait for a standby. */
async function refreshWhile(app: Service, tokens: Tokens, change: string) {
  const client = await app.db.connect()
  await client.query('BEGIN; SET LOCAL synchronous_commit = off')
  await client.query(`${change} WHERE id = $1`, [claimsOf(tokens.access_token).sid])
  const reply = refresh(app, tokens.refresh_token)
  const isWaiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'`
  while ((await app.db.query(isWaiting)).rowCount === 0) await sleep(1)
  await client.query('COMMIT')
  client.release()
  return reply
}

/** A test of its own server: whether commits wait for a standby is a setting of the whole server. */
t.test(
  'refuses durable writes, but not refreshes, while no standby confirms commits',
  { timeout: 120_000 },
  async (t) => {
    const server = await startEmbeddedPostgres(50)
    t.teardown(() => server.stop())
    // Connections that do not wait by default still do for what must not be lost.
    const LATCHKEY_DATABASE_URL = `${server.url}?options=-csynchronous_commit%3Doff`
    const settings = { LATCHKEY_DATABASE_URL, LATCHKEY_REFRESH_GRACE_SECONDS: 0 }
    const app = await startAuth(t, settings)
    t.match((await app.db.query('SHOW synchronous_commit')).rows, [{ synchronous_commit: 'off' }])
    const email = await register(app)
    const [one, two, three] = [
      await login(app, email),
      await login(app, email),
      await login(app, email),
    ]
    const byDefault = await startAuth(t, { LATCHKEY_DATABASE_URL: server.url })
    const four = await login(byDefault, await register(byDefault))
    const requireStandby = async (name: string) => {
      await app.db.query(`ALTER SYSTEM SET synchronous_standby_names = '${name}'`)
      await app.db.query('SELECT pg_reload_conf()')
      const isSet = async () => (await app.db.query('SHOW synchronous_standby_names')).rows[0]
      while ((await isSet()).synchronous_standby_names !== name) await sleep(20)
    }
    const logout = () => as(app, one.access_token, 'POST', '/v1/logout')
    const waiting = async () => {
      const { rows } = await app.db.query(
        `SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'`,
      )
      return rows.length
    }
    await requireStandby('nobody')

    const refreshed = await refresh(app, two.refresh_token)
    t.equal(refreshed.statusCode, 200, 'a refresh does not wait')
    t.equal((await refresh(app, three.refresh_token)).statusCode, 200)
    const ended = await refreshWhile(byDefault, four, 'UPDATE sessions SET expires_at = now()')
    t.equal(ended.statusCode, 401, 'nor does one whose session ends while it waits for the lock')
    const reused = await refresh(app, three.refresh_token)
    t.match(reused.json(), { code: 'commit_unconfirmed' }, 'a refresh that revokes waits')
    t.equal((await poll(byDefault, 'keys/status')).statusCode, 200, 'nor do operators')
    const reply = await logout()
    t.match(reply.json(), { status: 503, code: 'commit_unconfirmed' })
    t.equal(reply.headers['retry-after'], '1')
    t.equal(await waiting(), 0, 'no process of the server waits for a client that has left')
    const { sessions } = (await poll(app, 'revocations')).json()
    const sids = [three, one].map(({ access_token }) => [claimsOf(access_token).sid])
    t.match(sessions, sids, 'verifiers refuse the tokens nevertheless')

    const logins = Array.from({ length: 30 }, () => post(app, '/v1/login', { email, password }))
    let mostWaiting = 0
    const replies = Promise.all(logins)
    for (let isDone = false; !isDone; ) {
      mostWaiting = Math.max(mostWaiting, await waiting())
      isDone = await Promise.race([replies.then(() => true), sleep(50, false)])
    }
    t.ok(
      mostWaiting >= 1 && mostWaiting <= 5,
      `${mostWaiting} commits wait: half of the connections`,
    )
    const codes = (await replies).map((reply) => reply.json().code)
    t.ok(codes.includes('commit_unconfirmed') && codes.includes('database_unavailable'))
    t.equal((await refresh(app, refreshed.json().refresh_token)).statusCode, 200)
    // Until then, writes are refused immediately.
    while ((await logout()).json().code !== 'commit_unconfirmed') await sleep(200)

    await requireStandby('')
    while ((await logout()).statusCode !== 204) await sleep(200)
    t.equal((await post(app, '/v1/login', { email, password })).statusCode, 200)
  },
)
