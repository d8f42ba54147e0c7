import { randomBytes } from 'node:crypto'
import t from 'tap'
import { type Claims, createVerifier } from '../src/index.ts'
import { createKey, createKeySet } from '../src/keys/keyring.ts'
import { TokenCache } from '../src/token/cache.ts'
import { claims, header, key, policy, setClock, sign } from './tokens.ts'

const nowSeconds = () => Math.floor(Date.now() / 1000)
const create = (others: object = {}) => createVerifier({ ...policy, keys: [key], ...others })

/** Verifies a token until it is answered from the cache: the very same claims twice. */
function warm(verifier: ReturnType<typeof create>, token: string) {
  const seen = [1, 2, 3, 4].map(() => verifier.verify(token))
  return seen[2] === seen[3]
}

t.test(
  'answers a repeated token from the cache, unless the cache is off or the token long',
  async (t) => {
    t.ok(warm(create(), sign()))
    t.notOk(warm(create({ cache: false }), sign()))
    t.notOk(warm(create(), sign(header, claims({ x: 'x'.repeat(2000) }))), 'a long token')
  },
)

t.test('checks the time of a cached token on every use', async (t) => {
  const start = nowSeconds()
  const verifier = create()
  const token = sign(header, claims({ nbf: start, exp: start + 60 }))
  t.ok(warm(verifier, token))
  setClock(t, start + 64.9)
  t.ok(verifier.check(token).ok)
  setClock(t, start + 65)
  t.match(verifier.check(token), { ok: false, error: { code: 'token_expired' } })
  setClock(t, start - 60)
  t.match(verifier.check(token), { ok: false, error: { code: 'token_not_yet_valid' } })
})

t.test('checks a cached token for revocation whenever more was revoked', async (t) => {
  let isRevoked = false
  let asked = 0
  const revocations = {
    isRevoked(given: Claims) {
      t.equal(given.sub, claims().sub)
      asked++
      return isRevoked
    },
    version: 1,
    ageSeconds: 0,
  }
  const verifier = create({ revocations, onStale: 'deny' })
  const token = sign()
  t.ok(warm(verifier, token))
  const before = asked
  for (let i = 0; i < 5; i++) verifier.check(token)
  t.equal(asked, before, 'nothing else was revoked')
  isRevoked = true
  revocations.version++
  for (let i = 0; i < 3; i++) {
    t.match(verifier.check(token), { ok: false, error: { code: 'token_revoked', status: 401 } })
  }
  isRevoked = false
  revocations.version++
  revocations.ageSeconds = Number.POSITIVE_INFINITY
  t.match(verifier.check(token), { ok: false, error: { code: 'revocations_stale', status: 503 } })
  revocations.ageSeconds = 0
  t.ok(verifier.check(token).ok)
})

t.test('refuses a cached token once its key has left the keyring', async (t) => {
  const other = createKey('other', randomBytes(32))
  const ring = { current: createKeySet([createKey(key.kid, key.secret), other]) }
  const verifier = create({ keys: ring })
  const token = sign()
  t.ok(warm(verifier, token))
  ring.current = createKeySet([other])
  t.match(verifier.check(token), { ok: false, error: { code: 'token_unknown_key' } })
  ring.current = createKeySet([createKey(key.kid, randomBytes(32)), other])
  t.match(verifier.check(token), { ok: false, error: { code: 'token_signature' } })
})

t.test('refuses a cached token with any one character changed', async (t) => {
  const verifier = create()
  const token = sign()
  t.ok(warm(verifier, token))
  for (let i = 0; i < token.length; i++) {
    const mutant = `${token.slice(0, i)}${token[i] === 'A' ? 'B' : 'A'}${token.slice(i + 1)}`
    if (verifier.check(mutant).ok) t.fail(`character ${i}`)
  }
})

t.test('freezes claims in depth, so that no request can change those of another', async (t) => {
  const verifier = create()
  const token = sign(header, claims({ tenant: { tags: [{ id: 1 }] } }))
  t.ok(warm(verifier, token))
  for (const given of [create().verify(token), verifier.verify(token)]) {
    const { roles, tenant } = given as unknown as { roles: string[]; tenant: { tags: object[] } }
    const objects = [given, given.aud, roles, tenant, tenant.tags, tenant.tags[0]]
    t.ok(objects.every((object) => Object.isFrozen(object)))
    t.throws(() => roles.push('root'), TypeError)
  }
  const result = verifier.check(token)
  t.throws(() => Object.assign(result, { claims: {} }), TypeError)
})

t.test('freezes the refusals that check returns', async (t) => {
  const result = create().check('garbage')
  t.throws(() => Object.assign(result, { ok: true }), TypeError)
  if (!result.ok) t.throws(() => Object.assign(result.error, { status: 200 }), TypeError)
})

/** What the cache takes for tokens, with a random signature. */
const createTexts = (count: number, signatureBytes = 32) =>
  Array.from({ length: count }, () => `a.b.${randomBytes(signatureBytes).toString('base64url')}`)
const result = { ok: true, claims: claims() as never } as const
const addTo = (cache: TokenCache, text: string) =>
  cache.add(text, { result, revocationsVersion: undefined })
const countKept = (cache: TokenCache, texts: readonly string[]) =>
  texts.filter((text) => cache.find(text) !== undefined).length

t.test('the cache never contains more than maxEntries tokens, and drops the oldest', async (t) => {
  for (const maxEntries of [4, 100]) {
    const cache = new TokenCache(maxEntries)
    const texts = createTexts(10 * maxEntries)
    let most = 0
    for (const text of texts) {
      addTo(cache, text)
      most = Math.max(most, countKept(cache, texts))
    }
    t.equal(most, maxEntries)
    t.equal(countKept(cache, texts), maxEntries)
    t.equal(countKept(cache, texts.slice(0, 5 * maxEntries)), 0)
    t.ok(cache.find(texts.at(-1) as string))
  }
})

t.test('a token added twice is kept once', async (t) => {
  const cache = new TokenCache(4)
  const texts = ['A', 'B', 'C', 'D'].map((character) => `a.b.${character.repeat(43)}`)
  for (const text of [...texts, ...texts]) addTo(cache, text)
  t.equal(countKept(cache, texts), 4)
})

t.test('a full cache keeps nearly all of 10,000 tokens from their second use', async (t) => {
  for (const signatureBytes of [32, 64]) {
    const cache = new TokenCache(10_000)
    const use = (text: string) => {
      if (!cache.find(text) && cache.noteSighting(text)) addTo(cache, text)
    }
    const texts = createTexts(10_000, signatureBytes)
    for (const text of [...texts, ...texts]) use(text)
    const kept = countKept(cache, texts)
    t.ok(kept > 9700, `${kept} of 10,000`)
    const others = createTexts(10_000, signatureBytes)
    for (let time = 0; time < 6; time++) others.forEach(use)
    const keptOfOthers = countKept(cache, others)
    t.ok(keptOfOthers > 9700, `${keptOfOthers} of 10,000 others, later`)
  }
})

t.test('the cache keeps nearly all tokens of a thousand clients', async (t) => {
  const verifier = create()
  const tokens = Array.from({ length: 1000 }, (_, i) => sign(header, claims({ jti: String(i) })))
  for (let time = 0; time < 6; time++) for (const token of tokens) verifier.check(token)
  // A result from the cache is frozen.
  const cached = tokens.filter((token) => Object.isFrozen(verifier.check(token))).length
  t.ok(cached > 990, `${cached} of 1,000`)
})

t.test('refused tokens do not use up memory', async (t) => {
  const verifier = create()
  const forged = sign(header, claims(), randomBytes(32))
  const forge = (i: number) => `${forged.slice(0, -10)}${String(i).padStart(9, 'A')}A`
  for (let i = 0; i < 20_000; i++) verifier.check(forge(i))
  const { heapUsed } = process.memoryUsage()
  for (let i = 0; i < 200_000; i++) verifier.check(forge(i))
  globalThis.gc?.()
  const grown = process.memoryUsage().heapUsed - heapUsed
  t.ok(grown < 50 * 2 ** 20, `${Math.round(grown / 2 ** 20)} MB, including garbage`)
})
