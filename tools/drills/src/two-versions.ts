import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Cluster } from '@latchkey/cluster/cluster'
import { register, send, type Tokens } from '@latchkey/test-kit/client'
import type { Drill, Finding } from './drill.ts'

const root = resolve(import.meta.dirname, '../../..')
/** From the packages that this version has brought along, mostly. */
const installTimeoutMs = 300_000
const git = (...args: string[]) =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })

/** The last release; `LATCHKEY_DRILL_OLD_VERSION` names another commit. */
function oldVersion(): string | undefined {
  const { LATCHKEY_DRILL_OLD_VERSION: given } = process.env
  if (given) return given
  try {
    return git('describe', '--tags', '--abbrev=0').trim()
  } catch {
    return undefined
  }
}

/** What a rolling update goes through: the released auth service and this one on one database. */
export const twoVersions: Drill = {
  name: 'two-versions',
  what: 'the auth service of the last release beside this one, on one database',
  instances: 2,
  obstacle: () => (oldVersion() === undefined ? 'there is no release tag yet' : undefined),
  async run({ cluster, progress }) {
    progress(1, 2, 'installing the release')
    const old = await startOld(cluster, oldVersion() ?? '')
    try {
      const here = `${cluster.url}/auth`
      const findings: Finding[] = []
      for (const [claim, one, other] of [
        ['what the release opens, this version refreshes and ends', old.url, here],
        ['what this version opens, the release refreshes and ends', here, old.url],
      ] as const) {
        findings.push(await crossOver(cluster.url, claim, one, other))
      }
      return findings
    } finally {
      await old.stop()
    }
  },
}

/** A session opened at one, refreshed and ended at the other, and back. */
async function crossOver(url: string, claim: string, one: string, other: string): Promise<Finding> {
  const post = (path: string, body: object) => send(path, { method: 'POST', body })
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

/** Starts the auth service as another commit has it, with the packages that its own lock file names. */
async function startOld(cluster: Cluster, version: string) {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-release-'))
  const archive = execFileSync('git', ['archive', version], { cwd: root, maxBuffer: 2 ** 30 })
  execFileSync('tar', ['-x', '-C', folder], { input: archive })
  await promisify(execFile)(process.execPath, ['install.mjs'], {
    cwd: folder,
    timeout: installTimeoutMs,
    maxBuffer: 2 ** 24,
  })
  const child = spawn(process.execPath, [join(folder, 'services/auth/src/main.ts')], {
    env: {
      ...process.env,
      LATCHKEY_PORT: '0',
      LATCHKEY_INSTANCE: 'auth-release',
      LATCHKEY_ISSUER: `${cluster.url}/auth`,
      LATCHKEY_KEYS_FILE: cluster.keysFile,
      LATCHKEY_DATABASE_URL: cluster.databaseUrls.auth,
      LATCHKEY_AUDIENCES: 'orders billing',
      LATCHKEY_DEFAULT_SCOPE: 'orders:read',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  const url = await new Promise<string>((done, fail) => {
    child.once('exit', (code) => fail(new Error(`${version} ended with ${code}: ${output}`)))
    child.stdout.on('data', (text) => {
      output += text
      const [, found] = /"msg":"Server listening at (http:[^"]+)"/.exec(output) ?? []
      if (found) done(found)
    })
  })
  return {
    url,
    async stop() {
      child.removeAllListeners('exit')
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
      await rm(folder, { recursive: true })
    },
  }
}
