import t from 'tap'
import { createVerifier } from '../src/index.ts'
import { createTestKey, createTestKeyPair, mintToken } from '../src/testing.ts'

const key = createTestKey()
const names = { issuer: 'https://sso.example', audience: 'orders' }
const given = { key, ...names }
const verifier = createVerifier({ keys: [key], ...names })

for (const [alg, key] of [
  ['HS256', createTestKey()],
  ['ES256', createTestKeyPair()],
] as const) {
  const otherKey = alg === 'ES256' ? createTestKeyPair('other') : createTestKey('other')
  const given = { key, ...names }
  const verifier = createVerifier({ keys: [key], ...names })

  t.test(`${alg}: mints a token like those of the auth service`, async (t) => {
    const token = mintToken({
      ...given,
      scopes: ['a', 'b'],
      roles: ['admin'],
      claims: { tenant: 1 },
    })
    t.match(verifier.verify(token), {
      iss: given.issuer,
      aud: ['orders'],
      sub: 'user-1',
      scope: 'a b',
      roles: ['admin'],
      tenant: 1,
      jti: /^[0-9a-f-]{36}$/,
      sid: /^[0-9a-f-]{36}$/,
    })
  })

  t.test(`${alg}: mints tokens that are refused with the expected code`, async (t) => {
    const codes = {
      token_expired: mintToken({ ...given, expiresInSeconds: -10 }),
      token_signature: mintToken({ ...given, fault: 'tampered' }),
      token_algorithm: mintToken({ ...given, fault: 'unsigned' }),
      token_audience: mintToken({ ...given, audience: ['billing'] }),
      token_issuer: mintToken({ ...given, issuer: 'https://evil.example' }),
      token_unknown_key: mintToken({ ...given, key: otherKey }),
      token_type: mintToken({ ...given, header: { typ: 'JWT' } }),
      token_claim: mintToken({ ...given, claims: { sub: undefined } }),
    }
    for (const [code, token] of Object.entries(codes)) {
      t.match(verifier.check(token), { ok: false, error: { code } })
    }
    const foreign = mintToken({ ...given, fault: 'foreign' })
    t.match(verifier.check(foreign), { ok: false, error: { code: 'token_signature' } })
  })
}

t.test('mints a token without kid for a key without an ID', async (t) => {
  const sole = createVerifier({ issuer: given.issuer, audience: given.audience, keys: key.secret })
  const token = mintToken({ ...given, key: key.secret })
  t.ok(sole.check(token).ok)
  t.match(verifier.check(token), { ok: false, error: { code: 'token_unknown_key' } })
})

t.test('refuses unknown options and faults, which would mint another token than meant', (t) => {
  for (const wrong of [
    { scope: 'a' },
    { role: 'admin' },
    { expiresIn: -1 },
    { fault: 'expired' },
  ]) {
    t.throws(() => mintToken({ ...given, ...(wrong as object) }), TypeError)
  }
  t.end()
})
