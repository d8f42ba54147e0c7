import { rename, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Cluster } from '@latchkey/cluster/cluster'
import { login, register, send, type Tokens } from '@latchkey/test-kit/client'
import { execaNode } from 'execa'
import { type Finding, pairOf } from './drill.ts'
import { nobodySignedOut } from './findings.ts'
import {
  authDatabase,
  endAndRefresh,
  findAccepted,
  openSessions,
  revokeMore,
} from './lost-writes.ts'
import { outageDrill } from './outage.ts'
import type { PostgresServer } from './postgres-server.ts'
import { judgeRestored, none } from './restored-writes.ts'
import { claimsOf } from './traffic.ts'

const latchkey = resolve(import.meta.dirname, '../../../services/auth/src/cli/main.ts')

/** Puts an older state of the database in its place while the services run. */
export const restoredBackup = outageDrill({
  name: 'restored-backup',
  description: 'a backup restored that lacks logouts, refreshes, a disabling and lost rights',
  pair: { isSynchronous: false },
  async disturb(context, answers) {
    const { cluster } = context
    const { primary, proxy } = pairOf(context)
    const backup = `${primary.folder}.backup`
    const sessions = await openSessions(context)
    const users = await prepareUsers(primary, cluster)
    await primary.backUp(backup)
    await changeUsers(cluster, users)
    await endAndRefresh(context, sessions)
    const from = performance.now()
    proxy.switchTo(undefined)
    await primary.kill()
    await rm(primary.folder, { recursive: true })
    await rename(backup, primary.folder)
    await primary.start()
    await revokeMore(primary, cluster, sessions)
    proxy.switchTo(primary.port)
    const back = performance.now()
    const changed = [users.demoted, users.disabled, users.renewed]
    const findings = [
      ...(await judgeRestored(context, primary, sessions)),
      none(
        'no verifier accepts tokens from before a new password, a lost role or a disabling',
        (await findAccepted(cluster, changed)).length,
        changed,
      ),
      await reportTrue(cluster, { ended: sessions.ended.length, users: changed }),
      nobodySignedOut(answers),
    ]
    return { unavailable: { from, to: back }, back, findings }
  },
})

/** Users of whom an admin, or they themselves, change what a backup then brings back. */
interface Users {
  readonly admin: Tokens
  readonly demoted: Tokens
  readonly disabled: Tokens
  readonly renewed: Tokens & { readonly password: string }
}

async function prepareUsers(server: PostgresServer, cluster: Cluster): Promise<Users> {
  const open = async (role?: string) => {
    const person = await register(cluster.url)
    if (role) {
      const text = 'UPDATE users SET roles = ARRAY[$1] WHERE email = $2'
      await server.query(text, [role, person.email], authDatabase(cluster))
    }
    return { ...(await login(cluster.url, person)), password: person.password }
  }
  return {
    admin: await open('admin'),
    demoted: await open('editor'),
    disabled: await open(),
    renewed: await open(),
  }
}

async function changeUsers({ url }: Cluster, { admin, demoted, disabled, renewed }: Users) {
  const change = (tokens: Tokens, body: object) =>
    send(`${url}/auth/v1/admin/users/${claimsOf(tokens).sub}`, {
      method: 'PATCH',
      token: admin.access_token,
      body,
    })
  const passwords = { current_password: renewed.password, new_password: `${renewed.password}2` }
  const token = renewed.access_token
  const { status } = await send(`${url}/auth/v1/me/password`, { token, body: passwords })
  const answers = [await change(demoted, { roles: [] }), await change(disabled, { disabled: true })]
  const statuses = [status, ...answers.map((answer) => answer.status)].join()
  if (statuses !== '200,200,200') throw new Error(`The changes were answered with ${statuses}.`)
}

/** Checks what the operator is told: whom to look at, because the backup brought them back. */
async function reportTrue(
  { databaseUrls }: Cluster,
  lost: { readonly ended: number; readonly users: readonly Tokens[] },
): Promise<Finding> {
  const env = { LATCHKEY_DATABASE_URL: databaseUrls.auth }
  const run = await execaNode(latchkey, ['recover', '--json'], { env, reject: false })
  if (run.exitCode !== 1)
    throw new Error(`latchkey recover exits with ${run.exitCode}: ${run.stderr}`)
  const report = JSON.parse(run.stdout) as {
    recoveries: { sessions: number }[]
    users: { id: string }[]
  }
  const sessions = report.recoveries.reduce((total, recovery) => total + recovery.sessions, 0)
  const ids = new Set(report.users.map(({ id }) => id))
  const named = lost.users.filter((tokens) => ids.has(claimsOf(tokens).sub)).length
  return {
    claim: '`latchkey recover` counts the sessions and names the users, and no other',
    seen: `${sessions} sessions, ${named} of ${lost.users.length} users, ${ids.size} named`,
    holds: sessions >= lost.ended && named === lost.users.length && ids.size === named,
  }
}
