import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { as, createConfig, login, post, refresh, register, startInstance } from './support.ts'

const command = ['pgbouncer', '/usr/sbin/pgbouncer'].find((name) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})
const missing = command ? false : 'PgBouncer is not installed (Debian package pgbouncer)'

/** Starts PgBouncer in transaction mode with one connection. @returns the URL through it */
async function startPooler(t: Test, databaseUrl: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-pgbouncer-'))
  chmodSync(folder, 0o755)
  const { hostname, port, username, password, pathname } = new URL(databaseUrl)
  const listenPort = 20_000 + (process.pid % 20_000)
  const file = join(folder, 'pgbouncer.ini')
  writeFileSync(
    file,
    `[databases]
* = host=${hostname} port=${port || 5432} user=${username} password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listenPort}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 1
`,
    { mode: 0o644 },
  )
  const asNobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
  const child = spawn(command ?? '', [file], { stdio: 'ignore', ...asNobody })
  t.teardown(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    rmSync(folder, { recursive: true })
  })
  while (!(await answers(listenPort))) await sleep(50)
  return `postgres://anybody@127.0.0.1:${listenPort}${pathname}`
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

t.test(
  'several instances work through one connection of PgBouncer in transaction mode',
  { skip: process.env.CI === 'true' ? false : missing, timeout: 60_000 },
  async (t) => {
    if (missing) return t.fail(`${missing}; CI requires it`)
    const direct = await createConfig(t)
    await startInstance(t, direct)
    const config = {
      ...direct,
      LATCHKEY_DATABASE_URL: await startPooler(t, direct.LATCHKEY_DATABASE_URL),
      LATCHKEY_DATABASE_POOLER: 'transaction' as const,
      LATCHKEY_MIGRATE_ON_START: false,
    }
    const apps = [await startInstance(t, config), await startInstance(t, config)] as const
    const emails = await Promise.all(apps.map((app) => register(app)))
    // The statements of both share the connection, inside and outside of transactions.
    const sessions = await Promise.all(
      Array.from({ length: 20 }, (_, i) => login(apps[i % 2 ? 1 : 0], emails[i % 2] ?? '')),
    )
    const refreshed = await Promise.all(
      sessions.map(({ refresh_token }, i) => refresh(apps[i % 2 ? 0 : 1], refresh_token)),
    )
    t.strictSame(new Set(refreshed.map(({ statusCode }) => statusCode)), new Set([200]))
    const [first] = sessions
    const everywhere = await as(apps[1], first?.access_token ?? '', 'DELETE', '/v1/sessions')
    t.equal(everywhere.statusCode, 204)
    const refresh_token = refreshed[0]?.json().refresh_token
    t.equal((await post(apps[0], '/v1/refresh', { refresh_token })).statusCode, 401)
    t.equal((await apps[0].inject('/readyz')).statusCode, 200)

    const unpooled = await startInstance(t, { ...config, LATCHKEY_DATABASE_POOLER: 'none' })
    const warnings = t.capture(unpooled.log, 'warn')
    t.equal((await unpooled.inject('/readyz')).statusCode, 503)
    const advice = 'a pooler is in front of the database: set LATCHKEY_DATABASE_POOLER=transaction'
    const isCheck = ({ args: [fields] }: { args: unknown[] }) =>
      (fields as { check?: string }).check === 'database'
    t.match(warnings().find(isCheck), { args: [{ advice }] })
  },
)

t.test('refuses to migrate through PgBouncer, which does not keep the lock', async (t) => {
  const config = await createConfig(t, { LATCHKEY_DATABASE_POOLER: 'transaction' })
  await t.rejects(startInstance(t, config), { message: /LATCHKEY_MIGRATE_ON_START must be false/ })
})
