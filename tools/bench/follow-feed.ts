import { randomUUID } from 'node:crypto'
import { createRevocationFeed, createVerifier, openKeyring } from '@latchkey/verify'
import { mintToken } from '@latchkey/verify/testing'
import { measure, median } from './measure.ts'

/** What a process that follows a feed saw: printed as JSON. */
export interface Finding {
  entries: number
  caughtUpSeconds: number
  megabytes: number
  withoutFeedNs: number
  withFeedNs: number
  cachedWithoutFeedNs: number
  cachedWithFeedNs: number
  addedNs: number
  cachedAddedNs: number
}

/** Resident memory after a collection, in megabytes. */
function residentMegabytes(): number {
  for (let i = 0; i < 4; i++) globalThis.gc?.()
  return process.memoryUsage.rss() / 1e6
}

const [url = '', keysFile = '', issuer = ''] = process.argv.slice(2)
const keys = openKeyring(keysFile)
const key = keys.current.signing

const tokens = Array.from({ length: 30 }, () =>
  Array.from({ length: 1_000 }, () =>
    Buffer.from(
      mintToken({ key, issuer, audience: 'orders', claims: { sid: randomUUID(), scope: 'a b c' } }),
    ),
  ),
)
const before = residentMegabytes()
const started = performance.now()
const feed = createRevocationFeed({ url, keys, issuer, service: 'orders', instance: 'bench' })
await feed.caughtUp
const caughtUpSeconds = (performance.now() - started) / 1_000
feed.close()
const megabytes = residentMegabytes() - before

const options = { keys, issuer, audience: 'orders' }
const verifiers = {
  without: createVerifier({ ...options, cache: false }),
  with: createVerifier({ ...options, cache: false, revocations: feed }),
  cachedWithout: createVerifier(options),
  cachedWith: createVerifier({ ...options, revocations: feed }),
}
const distinct = (round: number) => tokens[round % tokens.length] ?? []
const repeated = () => tokens[0] ?? []
const subjects = Object.entries(verifiers).map(([name, verifier]) => ({
  name,
  contender: (token: string) => verifier.check(token),
  tokens: name.startsWith('cached') ? repeated : distinct,
}))
const timings = await measure(subjects, 200, 40)
const middle = (name: string) => median(timings.get(name) ?? [])
/** The median, over rounds, of what `a` took beyond `b`: what the machine does between rounds hits both alike. */
const added = (a: string, b: string) =>
  median((timings.get(a) ?? []).map((value, round) => value - (timings.get(b)?.[round] ?? 0)))
const finding: Finding = {
  entries: feed.state.entries,
  caughtUpSeconds,
  megabytes,
  withoutFeedNs: middle('without'),
  withFeedNs: middle('with'),
  cachedWithoutFeedNs: middle('cachedWithout'),
  cachedWithFeedNs: middle('cachedWith'),
  addedNs: added('with', 'without'),
  cachedAddedNs: added('cachedWith', 'cachedWithout'),
}
console.log(JSON.stringify(finding))
keys.close()
