import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Cluster } from '@latchkey/cluster/cluster'
import { register, send, type Tokens } from '@latchkey/test-kit/client'
import { startService } from '@latchkey/test-kit/service'
import { execa, execaNode, execaSync } from 'execa'
import type { Drill, Finding } from './drill.ts'

const root = resolve(import.meta.dirname, '../../..')
/** Most packages come from pnpm's store, which the current version has filled. */
const installTimeoutMs = 300_000

/** The last release, or the commit in `LATCHKEY_DRILL_OLD_VERSION`. */
function oldVersion(): string | undefined {
  const { LATCHKEY_DRILL_OLD_VERSION: given } = process.env
  if (given) return given
  const described = execaSync('git', ['describe', '--tags', '--abbrev=0'], {
    cwd: root,
    reject: false,
  })
  return described.failed ? undefined : described.stdout
}

/** Runs what a rolling update goes through: two versions of the auth service on one database. */
export const twoVersions: Drill = {
  name: 'two-versions',
  description: 'the auth service of the last release and this one on one database',
  obstacle: () => (oldVersion() === undefined ? 'no release tag' : undefined),
  async run({ cluster, progress }) {
    progress(1, 2, 'installing the release')
    const old = await startOldVersion(cluster, oldVersion() ?? '')
    try {
      const current = `${cluster.url}/auth`
      return [
        await crossOver(
          cluster.url,
          'this version refreshes and ends a session of the release',
          old.url,
          current,
        ),
        await crossOver(
          cluster.url,
          'the release refreshes and ends a session of this version',
          current,
          old.url,
        ),
      ]
    } finally {
      await old.stop()
    }
  },
}

/** Opens a session at one version, and refreshes and ends it at the other. */
async function crossOver(url: string, claim: string, one: string, other: string): Promise<Finding> {
  const post = (path: string, body: object) => send(path, { body })
  const person = await register(url)
  const opened = await post(`${one}/v1/login`, person)
  const { access_token: token, refresh_token } = opened.reply as Tokens
  const seen = [
    opened.status,
    (await send(`${url}/orders/whoami`, { token })).status,
    (await send(`${other}/v1/me`, { token })).status,
  ]
  const refreshed = await post(`${other}/v1/refresh`, { refresh_token })
  const { access_token: next, refresh_token: last } = refreshed.reply as Tokens
  const ended = await send(`${other}/v1/logout`, { method: 'POST', token: next })
  const after = await post(`${one}/v1/refresh`, { refresh_token: last })
  seen.push(refreshed.status, ended.status, after.status)
  return {
    claim,
    seen: `login, whoami, me, refresh, logout, refresh: ${seen.join(', ')}`,
    holds: seen.join() === '200,200,200,200,204,401',
  }
}

/** Starts the auth service of another commit, with the packages of its lock file. */
async function startOldVersion(cluster: Cluster, version: string) {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-release-'))
  await execa('git', ['archive', version], { cwd: root, buffer: false }).pipe('tar', [
    '-x',
    '-C',
    folder,
  ])
  await execaNode('install.mjs', { cwd: folder, timeout: installTimeoutMs })
  const { url, stop } = await startService(
    'auth',
    {
      LATCHKEY_INSTANCE: 'auth-release',
      LATCHKEY_ISSUER: `${cluster.url}/auth`,
      LATCHKEY_KEYS_FILE: cluster.keysFile,
      LATCHKEY_DATABASE_URL: cluster.databaseUrls.auth,
      LATCHKEY_AUDIENCES: 'orders billing',
      LATCHKEY_DEFAULT_SCOPE: 'orders:read',
    },
    folder,
  )
  return {
    url,
    async stop() {
      await stop()
      await rm(folder, { recursive: true })
    },
  }
}
