import type { KeyObject } from 'node:crypto'
import t from 'tap'
import { createVerifier as createFetchVerifier } from '../src/fetch.ts'
import { createVerifier } from '../src/index.ts'
import { createKey, createKeySet, type KeySet } from '../src/keys/keyring.ts'
import { claims, ecPublicKey, encode, es256, hs256, policy, signText } from './tokens.ts'

/** What an attacker may sign with who knows everything that is public. */
const publicTexts: [what: string, secret: Uint8Array][] = [
  ['PEM', Buffer.from(ecPublicKey.export({ format: 'pem', type: 'spki' }))],
  ['DER', ecPublicKey.export({ format: 'der', type: 'spki' })],
  ['a JWK', Buffer.from(JSON.stringify(ecPublicKey.export({ format: 'jwk' })))],
  ['our key as JSON', Buffer.from(JSON.stringify(es256.key))],
  ['x', Buffer.from(es256.key.x, 'base64url')],
  ['x in base64url', Buffer.from(es256.key.x)],
  ['the point', Buffer.concat([Buffer.of(4), ...point()])],
  ['the point without its first byte', Buffer.concat(point())],
  ['the key ID', Buffer.from(es256.key.kid)],
  ['nothing', Buffer.alloc(0)],
]

function point(): Buffer[] {
  return [es256.key.x, es256.key.y].map((text) => Buffer.from(text, 'base64url'))
}

t.test('a key of one algorithm never accepts a token of the other', async (t) => {
  const algorithms = [
    'HS256',
    'ES256',
    'es256',
    'hs256',
    'none',
    'ES256 ',
    'HS384',
    undefined,
    null,
  ]
  const kids = [hs256.key.kid, es256.key.kid, '', undefined]
  const types = ['at+jwt', 'JWT', undefined]
  const rings = { both: [hs256.key, es256.key], HS256: [hs256.key], ES256: [es256.key] }
  const keys: [what: string, key: Uint8Array | KeyObject][] = [
    ...publicTexts,
    ['another pair', es256.otherKey],
    ['another secret', hs256.otherKey],
    ['the secret', hs256.ownKey],
    ['the private key', es256.ownKey],
  ]
  let accepted = 0
  for (const [ring, ringKeys] of Object.entries(rings)) {
    const core = createVerifier({ ...policy, keys: ringKeys })
    const web = createFetchVerifier({ ...policy, keys: ringKeys })
    for (const alg of algorithms) {
      for (const kid of kids) {
        for (const typ of types) {
          for (const [what, key] of keys) {
            const input = `${encode({ alg, typ, kid })}.${encode(claims())}`
            const token = `${input}.${signText(input, key)}`
            const [one, other] = [core.check(token), await web.check(token)]
            const title = `${ring}: ${what} as ${kid}, ${alg}, ${typ}`
            t.strictSame(summary(other), summary(one), `${title}, both platforms`)
            const isOwn =
              typ === 'at+jwt' &&
              ((what === 'the secret' && alg === 'HS256' && kid === hs256.key.kid) ||
                (what === 'the private key' && alg === 'ES256' && kid === es256.key.kid)) &&
              ringKeys.some((own) => own.kid === kid)
            if (one.ok !== isOwn) t.fail(title)
            accepted += Number(one.ok)
          }
        }
      }
    }
  }
  t.equal(accepted, 4, 'each key accepts its own, alone and beside the other')
})

const summary = (result: { ok: boolean; error?: { code: string } }) =>
  result.ok || result.error?.code

/** A key set of each algorithm, with the same key ID. */
const kid = 'shared'
const twins = {
  HS256: createKeySet([createKey(kid, hs256.key.secret)]),
  ES256: createKeySet([{ ...es256.key, kid }]),
}
const twinTokens = {
  HS256: hs256.sign({ ...hs256.header, kid }),
  ES256: es256.sign({ ...es256.header, kid }),
}

for (const [name, create] of [
  ['core', createVerifier],
  ['fetch', createFetchVerifier],
] as const) {
  t.test(`${name}: one key ID in two key sets is two keys`, async (t) => {
    for (const own of ['HS256', 'ES256'] as const) {
      const verifier = create({ ...policy, keys: { current: twins[own] } })
      for (const alg of ['HS256', 'ES256', 'HS256', 'ES256'] as const) {
        const result = await verifier.check(twinTokens[alg])
        if (alg === own) t.ok(result.ok, alg)
        else t.match(result, { ok: false, error: { code: 'token_algorithm' } }, alg)
      }
    }
  })

  t.test(`${name}: a key that changes its algorithm drops what was cached under it`, async (t) => {
    const ring: { current: KeySet } = { current: twins.HS256 }
    const verifier = create({ ...policy, keys: ring })
    for (const [alg, other] of [
      ['HS256', 'ES256'],
      ['ES256', 'HS256'],
      ['HS256', 'ES256'],
    ] as const) {
      ring.current = twins[alg]
      for (const _ of [1, 2, 3]) t.ok((await verifier.check(twinTokens[alg])).ok)
      const result = await verifier.check(twinTokens[other])
      t.match(result, { ok: false, error: { code: 'token_algorithm' } })
    }
  })
}
