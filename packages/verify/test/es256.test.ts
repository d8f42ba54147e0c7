import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import t from 'tap'
import { createVerifier as createFetchVerifier } from '../src/fetch.ts'
import { createVerifier, parseKeySet } from '../src/index.ts'
import { createEcKey } from '../src/keys/ec-key.ts'
import type { EcKey } from '../src/keys/keyring.ts'
import { createTestKeyPair, mintToken } from '../src/testing.ts'
import { nodePlatform } from '../src/token/node-platform.ts'
import { webPlatform } from '../src/token/web-platform.ts'
import { claims, encode, es256, hs256, policy, setClock } from './tokens.ts'
import wycheproof from './wycheproof-es256.json' with { type: 'json' }

const creators = [
  ['core', createVerifier],
  ['fetch', createFetchVerifier],
] as const

for (const [name, platform] of [
  ['core', nodePlatform],
  ['fetch', webPlatform],
] as const) {
  t.test(`${name}: verifies Wycheproof's signatures of 64 bytes as it should`, async (t) => {
    let valid = 0
    for (const { x, y, tests } of wycheproof.groups) {
      const key = platform.makeKey(createEcKey('1', { crv: 'P-256', x, y }) as EcKey, 8_192)
      for (const [id, comment, message, signature, result] of tests) {
        const encoded = Buffer.from(String(signature), 'hex').toString('base64url')
        const isValid = await key.verify(`${message}.${encoded}`, String(message).length)
        t.equal(isValid, result === 'valid', `${id}: ${comment}`)
        valid += Number(isValid)
      }
    }
    t.equal(valid, 173)
  })
}

/** RFC 7515 appendix A.3, with the claims of A.1. */
const joe = {
  kty: 'EC',
  crv: 'P-256',
  alg: 'ES256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
  d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI',
}
const joesToken = [
  'eyJhbGciOiJFUzI1NiJ9',
  'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ',
  'DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q',
].join('.')

for (const [name, create] of creators) {
  t.test(`${name}: verifies the signature of the example of RFC 7515 A.3`, async (t) => {
    const { current } = { current: parseKeySet(JSON.stringify({ keys: [{ ...joe, kid: '1' }] })) }
    // The example has no key ID: its only key is told by one that any header has.
    const keys = { current: { ...current, keys: [{ ...current.keys[0], kid: '' } as EcKey] } }
    const verifier = create({ keys, issuer: 'joe', audience: false, types: [null] })
    setClock(t, 1_300_819_379)
    t.match(await verifier.check(joesToken), { ok: true, claims: { iss: 'joe' } })
    const [head, body, signature = ''] = joesToken.split('.')
    const changed = `${head}.${body}.${signature.replace('DtE', 'DtF')}`
    t.match(await verifier.check(changed), { ok: false, error: { code: 'token_signature' } })
  })
}

t.test('refuses public keys that are not points of the curve', async (t) => {
  const { x, y } = es256.key
  const zero = Buffer.alloc(32).toString('base64url')
  const big = Buffer.alloc(32, 0xff).toString('base64url')
  // biome-ignore format: a table
  const wrong: [what: string, jwk: object, message: RegExp][] = [
    ['another curve',          { crv: 'P-384', x, y }, /crv must be "P-256"/],
    ['the coordinates swapped', { crv: 'P-256', x: y, y: x }, /not a point of P-256/],
    ['the point at infinity',  { crv: 'P-256', x: zero, y: zero }, /not a point of P-256/],
    ['coordinates beyond the field', { crv: 'P-256', x: big, y: big }, /not a point of P-256/],
    ['31 bytes',               { crv: 'P-256', x: x.slice(0, -1), y }, /x and y must be 32 bytes/],
    ['no y',                   { crv: 'P-256', x }, /x and y must be 32 bytes/],
    ['a private key of zero',  { crv: 'P-256', x, y, d: zero }, /d is not a private key/],
    ['a private key beyond the order', { crv: 'P-256', x, y, d: big }, /d is not a private key/],
    ['a key type of secrets',  { crv: 'P-256', x, y, kty: 'oct' }, /kty must be "EC"/],
    ['an algorithm of secrets', { crv: 'P-256', x, y, alg: 'HS256' }, /kty must be "oct"/],
    ['another algorithm',      { crv: 'P-256', x, y, alg: 'ES384' }, /alg must be "HS256" or "ES256"/],
  ]
  for (const [what, jwk, message] of wrong) {
    const keys = [{ kty: 'EC', alg: 'ES256', kid: '1', ...jwk }]
    const refused = { code: 'keyring_malformed', message }
    t.throws(() => parseKeySet(JSON.stringify({ keys })), refused, what)
  }
  t.throws(() => createVerifier({ ...policy, keys: [{ ...es256.key, x: y }] }), TypeError)
})

t.test('a private key does not appear when keys are logged', async (t) => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = privateKey.export({ format: 'jwk' })
  const set = parseKeySet(JSON.stringify({ keys: [{ ...jwk, kid: '1', alg: 'ES256' }] }))
  t.match(set.signing, { d: jwk.d })
  t.notOk(JSON.stringify(set).includes(String(jwk.d)))
})

t.test('a token is cached from its first use with ES256, from its second with HS256', async (t) => {
  for (const [signing, firstKept] of [
    [es256, 0],
    [hs256, 1],
  ] as const) {
    const verifier = createVerifier({ ...policy, keys: [signing.key] })
    const token = signing.sign()
    const results = Array.from({ length: 4 }, () => verifier.check(token))
    t.equal(results.indexOf(results.at(-1) as (typeof results)[number]), firstKept, signing.alg)
    t.ok(results[0]?.ok)
  }
})

t.test('both signatures of a pair (r, s) and (r, n - s) are valid', async (t) => {
  const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const token = es256.sign()
  const [head, body, signature = ''] = token.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  const s = BigInt(`0x${bytes.toString('hex', 32)}`)
  const other = Buffer.concat([
    bytes.subarray(0, 32),
    Buffer.from((n - s).toString(16).padStart(64, '0'), 'hex'),
  ])
  for (const [, create] of creators) {
    const verifier = create({ ...policy, keys: [es256.key] })
    t.ok((await verifier.check(`${head}.${body}.${other.toString('base64url')}`)).ok)
    t.ok((await verifier.check(token)).ok)
  }
})

t.test('refuses a signature in DER, as OpenSSL and Java make it', async (t) => {
  const input = `${encode(es256.header)}.${encode(claims())}`
  const signature = sign('sha256', Buffer.from(input), es256.ownKey as KeyObject)
  const token = `${input}.${signature.toString('base64url')}`
  for (const [, create] of creators) {
    const result = await create({ ...policy, keys: [es256.key] }).check(token)
    t.match(result, { ok: false, error: { code: 'token_signature' } })
  }
})

t.test('fetch: answers 503 while the runtime cannot import the key, and tries again', async (t) => {
  const verifier = createFetchVerifier({ ...policy, keys: [es256.key] })
  const headers = { authorization: `Bearer ${es256.sign()}` }
  const request = new Request('https://orders.example', { headers })
  const { restore } = t.intercept(crypto.subtle, 'importKey', {
    value: () => Promise.reject(new DOMException('unsupported', 'NotSupportedError')),
  })
  const refused = await verifier.authenticate(request)
  t.equal(refused.ok || refused.response.status, 503)
  restore()
  t.ok((await verifier.authenticate(request)).ok)
})

t.test('does not mint a token with a key that can only verify', async (t) => {
  const { kid, alg, x, y } = createTestKeyPair()
  const given = { issuer: 'https://sso.example', audience: 'orders' }
  t.throws(() => mintToken({ ...given, key: { kid, alg, x, y } }), /no private part/)
})
