/** A process that follows a feed: `node --expose-gc follow-feed.ts <url> <key file> <issuer>`. */
import { randomUUID } from 'node:crypto'
import { createRevocationFeed, createVerifier, openKeyring } from '@latchkey/verify'
import { mintToken } from '@latchkey/verify/testing'
import { compare, measure, median, timeTokens } from './measure.ts'

/** Resident memory after a collection. */
function residentMegabytes(): number {
  for (let i = 0; i < 4; i += 1) globalThis.gc?.()
  return process.memoryUsage.rss() / 1e6
}

const [url = '', keysFile = '', issuer = ''] = process.argv.slice(2)
const audience = 'orders'
const keys = openKeyring(keysFile)
const key = keys.current.signing
const claims = () => ({ sid: randomUUID(), scope: 'a b c' })
const makeToken = () => Buffer.from(mintToken({ key, issuer, audience, claims: claims() }))
const tokens = Array.from({ length: 30 }, () => Array.from({ length: 1_000 }, makeToken))

const before = residentMegabytes()
const started = performance.now()
const feed = createRevocationFeed({ url, keys, issuer, service: audience, instance: 'bench' })
if (!(await feed.catchUp(120_000))) throw new Error('The feed did not answer.')
const caughtUpSeconds = (performance.now() - started) / 1_000
feed.close()
const megabytes = residentMegabytes() - before

/** Measures nanoseconds per verification. */
async function measureWithAndWithout(cache: object, tokensOf: (round: number) => Buffer[]) {
  const options = { keys, issuer, audience, ...cache }
  const without = createVerifier(options)
  const following = createVerifier({ ...options, revocations: feed })
  const subjects = {
    without: timeTokens((token) => without.check(token), tokensOf),
    following: timeTokens((token) => following.check(token), tokensOf),
  }
  const samples = await measure(subjects, 200, 40)
  return {
    withoutFeed: median(samples.get('without')),
    withFeed: median(samples.get('following')),
    addedNanoseconds: compare(samples, 'following', 'without', (x, y) => x - y),
    addedPercent: compare(samples, 'following', 'without', (x, y) => (x / y - 1) * 100),
  }
}

const finding = {
  entries: feed.entries,
  caughtUpSeconds,
  megabytes,
  distinct: await measureWithAndWithout({ cache: false }, (n) => tokens[n % tokens.length] ?? []),
  repeated: await measureWithAndWithout({}, () => tokens[0] ?? []),
}
/** What is printed, as JSON. */
export type Finding = typeof finding
console.log(JSON.stringify(finding))
keys.close()
