/** `npm run bench -- enumeration`: whether the time of an answer reveals who has an account. */
import { startEmbeddedPostgres } from '@latchkey/embedded-postgres'
import { writeKeyFile } from '@latchkey/test-kit'
import { startService } from '@latchkey/test-kit/service'
import pg from 'pg'
import { createFlows, createTimer, type Flow } from './enumeration-flows.ts'
import { measure, median, type Samples } from './measure.ts'
import { type Measure, report } from './report.ts'

const rounds = 200
const warmUp = 40
const resamples = 5_000

const cleanups: (() => unknown)[] = []
const results = await run({ teardown: (step) => cleanups.unshift(step) }).finally(async () => {
  for (const step of cleanups) await step()
})

async function run(t: Parameters<typeof writeKeyFile>[0]): Promise<Map<string, Samples>> {
  const postgres = await startEmbeddedPostgres(100, { durable: true })
  t.teardown(() => postgres.stop())
  const settings = {
    LATCHKEY_ISSUER: 'https://sso.example.com',
    LATCHKEY_AUDIENCES: 'orders',
    LATCHKEY_KEYS_FILE: writeKeyFile(t).file,
    LATCHKEY_DATABASE_URL: postgres.url,
    // A third of the default's time: the differences that matter are not those of the hash.
    LATCHKEY_ARGON2_MEMORY_KIB: '19456',
    LATCHKEY_ARGON2_PASSES: '2',
    LATCHKEY_TRUST_PROXY: '127.0.0.1',
    LATCHKEY_SMTP_URL: 'smtp://127.0.0.1:9',
    LATCHKEY_MAIL_FROM: 'no-reply@example.com',
  }
  // Users register at an instance where registration is open; it is stopped before measuring.
  const open = await startService('auth', { ...settings, LATCHKEY_REGISTRATION: 'open' })
  const credentials = { email: 'ada@example.com', password: 'correct horse battery' }
  const post = (path: string) =>
    fetch(open.url + path, {
      method: 'POST',
      body: JSON.stringify(credentials),
      headers: { 'content-type': 'application/json' },
    })
  await post('/v1/register')
  const login = await post('/v1/login')
  const { access_token } = (await login.json()) as { access_token: string }
  await open.stop()
  const addresses = await addUsers(postgres.url)
  const auth = await startService('auth', { ...settings, LATCHKEY_REGISTRATION: 'verified' })
  t.teardown(() => auth.stop())
  const found = new Map<string, Samples>()
  for (const [name, flow] of Object.entries(createFlows(auth.url, access_token))) {
    console.log(`${name}: ${warmUp + rounds} requests for a known and an unknown address each …`)
    found.set(name, await compareAddresses(flow, addresses))
  }
  return found
}

/** Adds 10,000 users with random addresses and the password of the first. @returns the addresses */
async function addUsers(databaseUrl: string): Promise<string[]> {
  const client = new pg.Client(databaseUrl)
  await client.connect()
  const { rows } = await client.query<{ email: string }>(`
    INSERT INTO users (id, email, password_hash, scope, registered_from)
    SELECT uuidv7(), gen_random_uuid() || '@example.com', password_hash, scope, '192.0.2.1'
      FROM users, generate_series(1, 10000)
    RETURNING email`)
  await client.query('VACUUM ANALYZE users')
  await client.end()
  return rows.map(({ email }) => email)
}

/** Measures requests for addresses that no request has named before. */
function compareAddresses(flow: Flow, known: string[]): Promise<Samples> {
  const time = createTimer(flow)
  const subjects = {
    known: () => time(known.pop() ?? ''),
    unknown: () => time(`${crypto.randomUUID()}@example.com`),
  }
  return measure(subjects, rounds, warmUp)
}

const draw = (values: readonly number[]) =>
  values.map(() => values[Math.floor(Math.random() * values.length)] as number)

/** The difference of the medians, with its 95 % interval by bootstrap. */
function compareMedians(what: string, samples: Samples): Measure {
  const [known = [], unknown = []] = [samples.get('known'), samples.get('unknown')]
  const differences = Array.from(
    { length: resamples },
    () => median(draw(known)) - median(draw(unknown)),
  ).toSorted((a, b) => a - b)
  const low = differences[Math.floor(resamples * 0.025)] ?? Number.NaN
  const high = differences[Math.ceil(resamples * 0.975) - 1] ?? Number.NaN
  const format = (value: number) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`
  const difference = median(known) - median(unknown)
  return {
    what: `${what}: known − unknown`,
    result: `${format(difference)} ms (${format(low)} to ${format(high)})`,
    bar: '0 in the interval',
    isMet: low <= 0 && high >= 0,
  }
}

await report({
  name: 'enumeration',
  title: 'Answers for known and unknown addresses',
  method:
    `${rounds} requests over HTTP for each kind of address, one at a time, in random order. Status,\n` +
    'body and headers of the answers are the same. In brackets: the 95 % interval of the difference of\n' +
    'the medians (bootstrap). By chance, one interval in twenty does not contain 0.',
  measures: [...results].map(([name, samples]) => compareMedians(name, samples)),
  panels: Object.fromEntries(
    [...results].map(([name, samples]) => [
      name,
      [
        { label: 'unknown address', value: median(samples.get('unknown')) },
        { label: 'known address', value: median(samples.get('known')), isOurs: true },
      ],
    ]),
  ),
  unit: 'ms',
})
