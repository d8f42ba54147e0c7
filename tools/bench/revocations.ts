/** `npm run bench:revocations`: a verifier that follows a feed with a million entries. */
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { writeKeyFile } from '@latchkey/test-kit'
import { startPostgres } from '@latchkey/test-kit/postgres'
import { execaNode } from 'execa'
import pg from 'pg'
import type { Finding } from './follow-feed.ts'
import { type Measure, report } from './report.ts'

/** Live revocations in the feed. */
const entries = 1_000_000
const shown = entries.toLocaleString('en')
const issuer = 'https://sso.example.com'

/** Starts the auth service and returns its address. */
async function startAuth(t: Cleanup, databaseUrl: string, keysFile: string): Promise<string> {
  const main = resolve(import.meta.dirname, '../../services/auth/src/main.ts')
  const child = execaNode(main, {
    env: {
      LATCHKEY_PORT: '0',
      LATCHKEY_ISSUER: issuer,
      LATCHKEY_AUDIENCES: 'orders',
      LATCHKEY_KEYS_FILE: keysFile,
      LATCHKEY_DATABASE_URL: databaseUrl,
    },
    stderr: 'inherit',
    buffer: false,
    reject: false,
  })
  t.teardown(async () => {
    child.kill()
    await child
  })
  return new Promise((found) => {
    createInterface(child.stdout).on('line', (line) => {
      const [, url] = /listening at (http:[^"]+)/.exec(line) ?? []
      if (url !== undefined) found(url)
    })
  })
}

/** Fills the feed, follows it, and returns what the follower measured. */
async function run(t: Cleanup): Promise<Finding> {
  const postgres = await startPostgres()
  t.teardown(() => postgres.stop())
  const { file } = writeKeyFile(t)
  const url = await startAuth(t, postgres.url, file)
  console.log(`Filling the feed with ${shown} entries …`)
  const client = new pg.Client(postgres.url)
  await client.connect()
  await client.query(
    `INSERT INTO revocations (kind, id, expires_at)
     SELECT 'session', uuidv7()::text, now() + interval '1 hour' FROM generate_series(1, $1)`,
    [entries],
  )
  await client.end()
  console.log('Following the feed from its start …')
  const follower = join(import.meta.dirname, 'follow-feed.ts')
  const { stdout } = await execaNode(follower, [url, file, issuer], {
    nodeOptions: ['--expose-gc'],
  })
  return JSON.parse(stdout)
}

/** What test-kit's helpers ask of a test, done in reverse order at the end. */
class Cleanup {
  readonly #steps: (() => unknown)[] = []
  teardown(step: () => unknown): void {
    this.#steps.unshift(step)
  }
  async run(): Promise<void> {
    for (const step of this.#steps) await step()
  }
}

const cleanup = new Cleanup()
const found = await run(cleanup).finally(() => cleanup.run())
const { caughtUpSeconds, megabytes, distinct, repeated } = found

const added = (tokens: string, ns: number): Measure => ({
  what: `added to a verification, ${tokens} tokens`,
  result: `${ns.toFixed(0)} ns`,
  bar: 'under 100 ns',
  isMet: ns < 100,
})
await report({
  name: 'revocations',
  title: `A feed of ${shown} live entries`,
  measures: [
    {
      what: 'caught up from empty',
      result: `${caughtUpSeconds.toFixed(1)} s`,
      bar: 'under 10 s',
      isMet: found.entries === entries && caughtUpSeconds < 10,
    },
    {
      what: 'memory in the verifier',
      result: `${megabytes.toFixed(0)} MB`,
      bar: 'under 150 MB',
      isMet: megabytes < 150,
    },
    added('distinct', distinct.added),
    added('repeated', repeated.added),
  ],
  bars: [
    { label: 'distinct, no feed', value: distinct.withoutFeed },
    { label: 'distinct, with the feed', value: distinct.withFeed, isOurs: true },
    { label: 'repeated, no feed', value: repeated.withoutFeed },
    { label: 'repeated, with the feed', value: repeated.withFeed, isOurs: true },
  ],
  unit: 'ns',
})
