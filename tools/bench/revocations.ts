import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { startPostgres } from '@latchkey/test-kit/postgres'
import pg from 'pg'
import type { Finding } from './follow-feed.ts'
import { report } from './report.ts'

/** Live revocations in the feed. */
const entries = 1_000_000

const root = resolve(import.meta.dirname, '../..')
const issuer = 'https://sso.example.com'
const run = promisify(execFile)

/** The auth service on a database of its own; resolves with its address. */
async function startAuth(databaseUrl: string, keysFile: string) {
  const env = {
    LATCHKEY_PORT: '0',
    LATCHKEY_ISSUER: issuer,
    LATCHKEY_AUDIENCES: 'orders',
    LATCHKEY_KEYS_FILE: keysFile,
    LATCHKEY_DATABASE_URL: databaseUrl,
  }
  const main = join(root, 'services/auth/src/main.ts')
  const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const url = await new Promise<string>((found) => {
    let log = ''
    child.stdout.on('data', (chunk) => {
      log += chunk
      const address = /listening at (http:[^"]+)/.exec(log)?.[1]
      if (address !== undefined) found(address)
    })
  })
  return { child, url }
}

const folder = await mkdtemp(join(tmpdir(), 'latchkey-bench-'))
const postgres = await startPostgres()
const key = { kid: 'bench', secret: randomBytes(32) }
const jwk = (kid: string, k: Buffer, use?: string) => ({
  kty: 'oct',
  kid,
  alg: 'HS256',
  ...(use && { use }),
  k: k.toString('base64url'),
})
const keysFile = join(folder, 'keys.json')
const keys = [jwk(key.kid, key.secret), jwk('refresh', randomBytes(32), 'latchkey:refresh')]
await writeFile(keysFile, JSON.stringify({ keys }), { mode: 0o600 })
const { child, url } = await startAuth(postgres.url, keysFile)
try {
  const client = new pg.Client(postgres.url)
  await client.connect()
  console.log(`Filling the feed with ${entries.toLocaleString('en')} entries …`)
  await client.query(
    `INSERT INTO revocations (kind, id, expires_at)
     SELECT 'session', uuidv7()::text, now() + interval '1 hour' FROM generate_series(1, $1)`,
    [entries],
  )
  await client.end()
  console.log('Following it from nothing …')
  const args = ['--expose-gc', join(import.meta.dirname, 'follow-feed.ts'), url, keysFile, issuer]
  const { stdout } = await run(process.execPath, args)
  const found: Finding = JSON.parse(stdout)
  const ns = (value: number) => `${value.toFixed(0)} ns`
  await report(
    'revocations',
    `A feed of ${entries.toLocaleString('en')} live entries`,
    [
      {
        what: 'caught up from empty',
        result: `${found.caughtUpSeconds.toFixed(1)} s`,
        bar: 'under 10 s',
        isMet: found.entries === entries && found.caughtUpSeconds < 10,
      },
      {
        what: 'memory in the verifier',
        result: `${found.megabytes.toFixed(0)} MB`,
        bar: 'under 150 MB',
        isMet: found.megabytes < 150,
      },
      {
        what: 'added to a verification, distinct tokens',
        result: ns(found.addedNs),
        bar: 'under 100 ns',
        isMet: found.addedNs < 100,
      },
      {
        what: 'added to a verification, repeated tokens',
        result: ns(found.cachedAddedNs),
        bar: 'under 100 ns',
        isMet: found.cachedAddedNs < 100,
      },
    ],
    [
      { label: 'distinct, no feed', value: found.withoutFeedNs },
      { label: 'distinct, with the feed', value: found.withFeedNs, isOurs: true },
      { label: 'repeated, no feed', value: found.cachedWithoutFeedNs },
      { label: 'repeated, with the feed', value: found.cachedWithFeedNs, isOurs: true },
    ],
    'ns',
  )
} finally {
  child.kill('SIGTERM')
  await postgres.stop()
  await rm(folder, { recursive: true })
}
