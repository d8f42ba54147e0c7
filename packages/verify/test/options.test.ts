import { randomBytes } from 'node:crypto'
import t from 'tap'
import { createVerifier as createFetchVerifier } from '../src/fetch.ts'
import { createVerifier, openKeyring, parseKeySet } from '../src/index.ts'
import { claims, header, key, policy, sign } from './tokens.ts'

type ErrorMatch = RegExp | ErrorConstructor | { code: string } | { message: RegExp }

const good = { ...policy, keys: [key] }
const url = 'http://127.0.0.1:9'
const strong = () => randomBytes(32)
// biome-ignore format: a table
const wrong: [what: string, options: object, error: ErrorMatch][] = [
  ['a string as keys', { ...good, keys: 'secret' }, { message: /must not be a string/ }],
  ['no keys', { ...policy }, TypeError],
  ['keys null', { ...good, keys: null }, TypeError],
  ['an empty array of keys', { ...good, keys: [] }, { code: 'keyring_empty' }],
  ['a key without kid', { ...good, keys: [{ secret: strong() }] }, TypeError],
  ['a key with an empty kid', { ...good, keys: [{ kid: '', secret: strong() }] }, TypeError],
  ['a kid that is not Unicode', { ...good, keys: [{ kid: '\ud800', secret: strong() }] }, TypeError],
  ['a secret as text', { ...good, keys: [{ kid: '1', secret: 'x'.repeat(64) }] }, TypeError],
  ['a duplicate kid', { ...good, keys: [key, key] }, { code: 'keyring_duplicate_kid' }],
  ['a short secret', { ...good, keys: randomBytes(31) }, { code: 'keyring_weak_secret' }],
  ['a missing file', { ...good, keys: { file: '/nonexistent' } }, { code: 'keyring_unreadable' }],
  ['no issuer', { ...good, issuer: undefined }, /issuer/],
  ['an empty issuer', { ...good, issuer: '' }, /issuer/],
  ['no issuers', { ...good, issuer: [] }, /issuer/],
  ['no audience', { ...good, audience: undefined }, /audience is required/],
  ['true as audience', { ...good, audience: true }, /audience/],
  ['an empty audience', { ...good, audience: ['orders', ''] }, /audience/],
  ['no types', { ...good, types: [] }, /types/],
  ['a string as types', { ...good, types: 'at+jwt' }, /types/],
  ['a tolerance over a minute', { ...good, clockToleranceSeconds: 61 }, RangeError],
  ['a tolerance below zero', { ...good, clockToleranceSeconds: -1 }, RangeError],
  ['a tolerance of NaN', { ...good, clockToleranceSeconds: Number.NaN }, RangeError],
  ['a tolerance as text', { ...good, clockToleranceSeconds: '5' }, TypeError],
  ['a lifetime of zero', { ...good, maxLifetimeSeconds: 0 }, RangeError],
  ['tokens over 16,383 bytes', { ...good, maxTokenBytes: 16_384 }, RangeError],
  ['true as cache', { ...good, cache: true }, TypeError],
  ['null as cache', { ...good, cache: null }, TypeError],
  ['a cache of 0 entries', { ...good, cache: { maxEntries: 0 } }, RangeError],
  ['revocations without members', { ...good, revocations: {} }, TypeError],
  ['deny without revocations', { ...good, onStale: 'deny' }, /no effect without revocations/],
  ['a staleness without revocations', { ...good, maxStaleSeconds: 9 }, /no effect without/],
  ['a misspelt option', { ...good, audiance: 'orders' }, /unknown option "audiance"/],
  ['a misspelt option of the cache', { ...good, cache: { maxEntrys: 9 } }, /unknown cache option "maxEntrys"/],
  ['a misspelt option of the feed', { ...good, revocations: { url, timeout: 9 } }, /unknown option "timeout"/],
  ['a feed for one key without an ID', { ...good, keys: key.secret, revocations: { url } }, /keys with IDs/],
  ['a feed for several issuers', { ...good, issuer: ['a', 'b'], revocations: { url } }, /single issuer/],
  ['a feed for several audiences', { ...good, audience: ['a', 'b'], revocations: { url } }, /service/],
  ['a feed that forgets before a token expires', { ...good, maxLifetimeSeconds: 3_601, revocations: { url } }, RangeError],
  ['a member of another library', { ...good, keys: [{ ...key, use: 'sig' }] }, /unknown member of a key "use"/],
  ['a key for another algorithm', { ...good, keys: [{ ...key, alg: 'HS512' }] }, /alg of a key must be HS256/],
  ['a callback that is not a function', { ...good, revocations: { url, onPoll: true } }, /onPoll must be a function/],
  ['an option of another library', { ...good, algorithms: ['HS256'] }, /unknown option "algorithms"/],
]

t.test('refuses wrong options when the verifier is created', async (t) => {
  for (const [what, options, error] of wrong) {
    t.throws(() => createVerifier(options as never), error, what)
    if (what !== 'a missing file') {
      t.throws(() => createFetchVerifier(options as never), error, `${what}, fetch`)
    }
  }
})

t.test('refuses misspelt options of a keyring', async (t) => {
  t.throws(() => createVerifier({ ...good, keys: { file: 'x', onEror() {} } as never }), /onEror/)
  t.throws(() => openKeyring('x', { onreload() {} } as never), /unknown option "onreload"/)
  t.throws(() => openKeyring('x', { onReload: true } as never), /onReload must be a function/)
  t.throws(() => openKeyring(undefined as never), /must be a path; it is undefined/)
})

t.test('refuses anything but staleness options beside a token, with or without one', async (t) => {
  const verifier = createVerifier(good)
  const web = createFetchVerifier(good)
  const wrong = [
    ...[{ audience: 'admin' }, { scopes: ['a'] }, { onstale: 'deny' }, { onStale: 'Deny' }],
    ...[{ maxStaleSeconds: 0 }, { algorithms: ['HS256'] }, () => {}, 'admin', ['admin'], null],
  ] as never[]
  for (const given of wrong) {
    for (const token of [sign(), sign(), 'x', '']) {
      t.throws(() => verifier.check(token, given), /unknown|must be/)
      t.throws(() => verifier.verify(token, given), /unknown|must be/)
      await t.rejects(web.check(token, given), /unknown|must be/)
      await t.rejects(web.verify(token, given), /unknown|must be/)
    }
  }
  t.ok(verifier.check(sign(), {}).ok)
  t.ok(verifier.check(sign(), { onStale: 'allow', maxStaleSeconds: 5 }).ok)
})

t.test(
  'a route that denies stale revocations refuses every token without revocations',
  async (t) => {
    const stale = { error: { code: 'revocations_stale', status: 503 } }
    for (const create of [createVerifier, createFetchVerifier]) {
      const verifier = create(good)
      for (const _time of [1, 2, 3]) {
        t.match(await verifier.check(sign(), { onStale: 'deny' }), stale)
        t.match(await verifier.check(sign(), { maxStaleSeconds: 5 }), { ok: true })
      }
    }
  },
)

t.test('one key passed as bytes verifies tokens with any kid or none', async (t) => {
  for (const create of [createVerifier, createFetchVerifier]) {
    const verifier = create({ ...policy, keys: key.secret })
    for (const kid of [undefined, 'any', key.kid]) {
      for (const _time of [1, 2])
        t.match(await verifier.check(sign({ ...header, kid })), { ok: true })
    }
    t.match(await verifier.check(sign(header, claims(), strong())), {
      error: { code: 'token_signature' },
    })
  }
})

t.test('verifies with secrets of every length from 256 bits', async (t) => {
  for (const length of [32, 33, 63, 64, 65, 100, 128, 200]) {
    const secret = randomBytes(length)
    for (const create of [createVerifier, createFetchVerifier]) {
      const verifier = create({ ...policy, keys: [{ kid: key.kid, secret }] })
      t.match(await verifier.check(sign(header, claims(), secret)), { ok: true }, `${length} bytes`)
    }
  }
})

t.test('accepts a set of keys without a file', async (t) => {
  const k = Buffer.from(key.secret).toString('base64url')
  const current = parseKeySet(
    JSON.stringify({ keys: [{ kty: 'oct', kid: key.kid, alg: 'HS256', k }] }),
  )
  for (const create of [createVerifier, createFetchVerifier]) {
    t.match(await create({ ...policy, keys: { current } }).check(sign()), { ok: true })
  }
})

t.test('accepts several issuers, audiences and types, no type, and any audience', async (t) => {
  const several = createVerifier({
    keys: [key],
    issuer: ['https://old.example', 'https://sso.example'],
    audience: ['orders', 'orders-v2'],
    types: ['Application/AT+JWT', 'JWT', null],
  })
  t.ok(several.check(sign()).ok)
  t.ok(several.check(sign(header, claims({ iss: 'https://old.example', aud: 'orders-v2' }))).ok)
  t.ok(several.check(sign({ ...header, typ: 'jwt' })).ok)
  t.ok(several.check(sign({ ...header, typ: undefined }, claims({ sub: undefined }))).ok)
  t.match(several.check(sign({ ...header, typ: 'x' })), { error: { code: 'token_type' } })
  const any = createVerifier({ ...good, audience: false })
  t.ok(any.check(sign(header, claims({ aud: undefined }))).ok)
  t.match(any.check(sign(header, claims({ aud: 1 }))), { error: { code: 'token_claim' } })
})

t.test(
  'with a feed, a token without iat is refused: it may be older than its memory',
  async (t) => {
    const known = { isRevoked: () => false, version: 1, ageSeconds: 0 }
    for (const create of [createVerifier, createFetchVerifier]) {
      const token = sign(header, claims({ iat: undefined }))
      const remembered = { ...known, entries: 0 }
      const feed = create({ ...good, revocations: remembered })
      t.match(await feed.check(token), { error: { code: 'token_claim', claim: 'iat' } })
      t.match(await feed.check(sign()), { ok: true })
      t.match(await create({ ...good, revocations: known }).check(token), { ok: true })
    }
  },
)

t.test('applies the bounds of the options', async (t) => {
  const now = Math.floor(Date.now() / 1000)
  const verifier = createVerifier({
    ...good,
    clockToleranceSeconds: 0,
    maxLifetimeSeconds: 60,
    maxTokenBytes: 500,
  })
  t.match(verifier.check(sign(header, claims({ exp: now + 61 }))), {
    error: { code: 'token_claim' },
  })
  t.match(verifier.check(sign(header, claims({ exp: now - 1, iat: now - 9 }))), {
    error: { code: 'token_expired' },
  })
  const long = sign(header, claims({ exp: now + 60, x: 'x'.repeat(200) }))
  t.match(verifier.check(long), { error: { code: 'token_malformed' } })
  t.ok(verifier.check(sign(header, claims({ exp: now + 60 }))).ok)
})
