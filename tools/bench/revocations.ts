/** `npm run bench -- revocations`: a verifier that follows a feed with a million entries. */
import { join } from 'node:path'
import { writeKeyFile } from '@latchkey/test-kit'
import { startPostgres } from '@latchkey/test-kit/postgres'
import { startService } from '@latchkey/test-kit/service'
import { execaNode } from 'execa'
import pg from 'pg'
import type { Finding } from './follow-feed.ts'
import { report, under } from './report.ts'

/** Live revocations in the feed. */
const entries = 1_000_000
const shown = entries.toLocaleString('en')
const issuer = 'https://sso.example.com'

const cleanups: (() => unknown)[] = []
const found = await run({ teardown: (step) => cleanups.unshift(step) }).finally(async () => {
  for (const step of cleanups) await step()
})

/** Fills the feed and lets a process of its own follow it. */
async function run(t: Parameters<typeof writeKeyFile>[0]): Promise<Finding> {
  const postgres = await startPostgres()
  t.teardown(() => postgres.stop())
  const { file, exportFor } = writeKeyFile(t)
  const auth = await startService('auth', {
    LATCHKEY_ISSUER: issuer,
    LATCHKEY_AUDIENCES: 'orders',
    LATCHKEY_KEYS_FILE: file,
    LATCHKEY_DATABASE_URL: postgres.url,
  })
  t.teardown(() => auth.stop())
  console.log(`Filling the feed with ${shown} entries …`)
  const client = new pg.Client(postgres.url)
  await client.connect()
  await client.query(
    `INSERT INTO revocations (kind, id, expires_at)
     SELECT 'session', gen_random_uuid()::text, now() + interval '1 hour' FROM generate_series(1, $1)`,
    [entries],
  )
  await client.end()
  console.log('Following the feed from its start …')
  const follower = join(import.meta.dirname, 'follow-feed.ts')
  const nodeOptions = ['--expose-gc']
  return JSON.parse(
    (await execaNode(follower, [auth.url, exportFor('orders'), issuer], { nodeOptions })).stdout,
  )
}

const { distinct, repeated } = found
const toBars = ({ withoutFeed, withFeed }: Finding['distinct']) => [
  { label: 'no feed', value: withoutFeed },
  { label: 'with the feed', value: withFeed, isOurs: true },
]
if (found.entries !== entries) throw new Error(`The follower has ${found.entries} entries.`)
await report({
  name: 'revocations',
  title: `A feed of ${shown} live entries`,
  measures: [
    under('caught up from empty', found.caughtUpSeconds, 10, 's', 1),
    under('memory in the verifier', found.megabytes, 150, 'MB'),
    under('added to a verification, distinct tokens', distinct.addedPercent, 12, '%', 1),
    under('added to a verification, repeated tokens', repeated.addedNanoseconds, 100, 'ns'),
  ],
  panels: {
    'distinct tokens': toBars(distinct),
    'repeated tokens': toBars(repeated),
  },
  unit: 'ns',
})
