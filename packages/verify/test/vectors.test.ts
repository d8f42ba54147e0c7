import t from 'tap'
import { createVerifier as createFetchVerifier } from '../src/fetch.ts'
import { createVerifier, parseKeySet } from '../src/index.ts'
import { createKey, createKeySet } from '../src/keys/keyring.ts'
import { setClock } from './tokens.ts'

/** RFC 7515 appendix A.1, which is RFC 7519 section 3.1. */
const joe = {
  key: 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
  token: [
    'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9',
    'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ',
    'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
  ].join('.'),
  claims: { iss: 'joe', exp: 1300819380, 'http://example.com/is_root': true },
}

/** RFC 7519 section 6.1. */
const unsecured = `eyJhbGciOiJub25lIn0.${joe.token.split('.')[1]}.`

/** RFC 7520 section 4.4, with the key of section 3.5. The payload is text, not claims. */
const frodo = {
  kid: '018c0ae5-4d9b-471b-bfd6-eef314bc7037',
  key: 'hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg',
  token: [
    'eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9',
    'SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4',
    's0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0',
  ].join('.'),
}

/** A ring that was not checked: published keys are refused as options and in files. */
const ringOf = (kid: string, key: string) => ({
  current: createKeySet([createKey(kid, Buffer.from(key, 'base64url'))]),
})
const forJoe = {
  keys: ringOf('', joe.key),
  issuer: 'joe',
  audience: false as const,
  types: ['JWT'],
}
const forFrodo = {
  keys: ringOf(frodo.kid, frodo.key),
  issuer: 'bilbo',
  audience: false as const,
  types: [null],
}

for (const [name, create] of [
  ['core', createVerifier],
  ['fetch', createFetchVerifier],
] as const) {
  t.test(`${name}: accepts the example of RFC 7515 A.1 until it expires`, async (t) => {
    const verifier = create(forJoe)
    setClock(t, joe.claims.exp - 1)
    t.strictSame(await verifier.verify(joe.token), joe.claims)
    t.strictSame(await verifier.verify(joe.token), joe.claims)
    setClock(t, joe.claims.exp + 5)
    t.match(await verifier.check(joe.token), { ok: false, error: { code: 'token_expired' } })
  })

  t.test(`${name}: refuses the unsecured JWT of RFC 7519 6.1`, async (t) => {
    setClock(t, joe.claims.exp - 1)
    const result = await create(forJoe).check(unsecured)
    t.match(result, { ok: false, error: { code: 'token_algorithm' } })
  })

  t.test(
    `${name}: verifies the signature of RFC 7520 4.4, and refuses its text as claims`,
    async (t) => {
      const verifier = create(forFrodo)
      t.match(await verifier.check(frodo.token), { ok: false, error: { code: 'token_malformed' } })
      const changed = `${frodo.token.slice(0, -2)}q0`
      t.match(await verifier.check(changed), { ok: false, error: { code: 'token_signature' } })
    },
  )
}

t.test('refuses the keys of those examples in a key file', async (t) => {
  for (const k of [joe.key, frodo.key]) {
    const text = JSON.stringify({ keys: [{ kty: 'oct', kid: '1', alg: 'HS256', k }] })
    t.throws(() => parseKeySet(text), { code: 'keyring_weak_secret' })
  }
})
