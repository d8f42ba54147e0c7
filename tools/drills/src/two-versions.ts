import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Cluster } from '@latchkey/cluster/cluster'
import { register, send, type Tokens } from '@latchkey/test-kit/client'
import { startService } from '@latchkey/test-kit/service'
import { execa, execaNode, execaSync } from 'execa'
import type { Drill, Finding } from './drill.ts'

const cwd = resolve(import.meta.dirname, '../../..')
/** Most packages come from pnpm's store, which the current version has filled. */
const installTimeoutMs = 300_000

/** The commit of the last release, as the changelog names it; or `LATCHKEY_DRILL_OLD_VERSION`. */
function oldVersion(): string {
  const { LATCHKEY_DRILL_OLD_VERSION: given } = process.env
  if (given) return given
  const changelog = readFileSync(join(cwd, 'CHANGELOG.md'), 'utf8')
  return /^## \d[^#]*?, commit `([0-9a-f]{40})`/m.exec(changelog)?.[1] ?? 'of a release'
}

/** A shallow clone, or an archive, lacks it. */
const isInClone = (commit: string) =>
  !execaSync('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd, reject: false }).failed

/** Runs what a rolling update goes through: two versions of the auth service on one database. */
export const twoVersions: Drill = {
  name: 'two-versions',
  description: 'the auth services of the last release and of this checkout on one database',
  obstacle: () =>
    isInClone(oldVersion())
      ? undefined
      : `needs the commit ${oldVersion()}, which git does not have`,
  async run({ cluster, progress }) {
    progress(1, 2, 'installing the release')
    const old = await startOldVersion(cluster, oldVersion())
    const current = `${cluster.url}/auth`
    const refreshesAndEnds = 'refreshes and ends a session of'
    try {
      return [
        await crossOver(cluster, `this version ${refreshesAndEnds} the release`, old.url, current),
        await crossOver(cluster, `the release ${refreshesAndEnds} this version`, current, old.url),
      ]
    } finally {
      await old.stop()
    }
  },
}

/** Opens a session at one version, and refreshes and ends it at the other. */
async function crossOver(
  { url }: Cluster,
  claim: string,
  one: string,
  other: string,
): Promise<Finding> {
  const opened = await send(`${one}/v1/login`, { body: await register(url) })
  const { access_token: token, refresh_token } = opened.reply as Tokens
  const read = await send(`${url}/orders/whoami`, { token })
  const me = await send(`${other}/v1/me`, { token })
  const refreshed = await send(`${other}/v1/refresh`, { body: { refresh_token } })
  const next = refreshed.reply as Tokens
  const ended = await send(`${other}/v1/logout`, { method: 'POST', token: next.access_token })
  const after = await send(`${one}/v1/refresh`, { body: { refresh_token: next.refresh_token } })
  const statuses = [opened, read, me, refreshed, ended, after].map(({ status }) => status)
  const seen = `login, whoami, me, refresh, logout, refresh: ${statuses.join(', ')}`
  return { claim, seen, holds: statuses.join() === '200,200,200,200,204,401' }
}

/** Starts the auth service of another commit, with the packages of its lock file. */
async function startOldVersion(cluster: Cluster, version: string) {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-release-'))
  const archive = execa('git', ['archive', version], { cwd, buffer: false })
  await archive.pipe('tar', ['-x', '-C', folder])
  await execaNode('install.mjs', { cwd: folder, timeout: installTimeoutMs })
  const env = {
    LATCHKEY_INSTANCE: 'auth-release',
    LATCHKEY_ISSUER: `${cluster.url}/auth`,
    LATCHKEY_KEYS_FILE: cluster.keysFile,
    LATCHKEY_DATABASE_URL: cluster.databaseUrls.auth,
    LATCHKEY_AUDIENCES: 'orders billing',
    LATCHKEY_DEFAULT_SCOPE: 'orders:read',
  }
  const { url, stop } = await startService('auth', env, folder)
  return {
    url,
    async stop() {
      await stop()
      await rm(folder, { recursive: true })
    },
  }
}
