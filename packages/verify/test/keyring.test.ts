import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign as signBytes,
  verify,
} from 'node:crypto'
import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { createVerifier, type KeyringError, openKeyring, parseKeySet } from '../src/index.ts'
import { claims, header, policy, sign } from './tokens.ts'

const secret = () => randomBytes(32)
const text = (value: string) => Buffer.from(value).toString('base64url')
const jwk = (kid: string, others: object = {}) => ({
  kty: 'oct',
  kid,
  alg: 'HS256',
  k: secret().toString('base64url'),
  ...others,
})
const rsa = (kid: string, modulusLength = 2048, publicExponent = 65_537) => ({
  ...generateKeyPairSync('rsa', { modulusLength, publicExponent }).privateKey.export({
    format: 'jwk',
  }),
  ...{ kid, alg: 'RS256', use: 'latchkey:id-token' },
})
const jwks = (...keys: object[]) => JSON.stringify({ keys })

async function createFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-'))
  t.teardown(() => rm(folder, { recursive: true }))
  return folder
}

/** Opens a keyring and collects its errors. */
function follow(t: Test, file: string) {
  const errors: KeyringError[] = []
  const keyring = openKeyring(file, { onError: (err) => errors.push(err) })
  t.teardown(() => keyring.close())
  const kids = () => keyring.current.keys.map(({ kid }) => kid).join()
  return { keyring, errors, kids }
}

async function until(t: Test, what: string, isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 300 && !isTrue(); i++) await new Promise((done) => setTimeout(done, 20))
  t.ok(isTrue(), what)
}

t.test('reads a JWK Set: the first key signs, all verify, one is for refresh tokens', async (t) => {
  const refresh = jwk('r', { use: 'latchkey:refresh', alg: undefined })
  const first = jwk('a', { x: 'other members are ignored' })
  const set = parseKeySet(
    jwks(refresh, first, jwk('e', { use: 'enc', kty: 'RSA' }), jwk('b', { use: 'sig' })),
  )
  t.equal(set.signing.kid, 'a')
  t.equal(set.keys.map(({ kid, alg }) => `${kid} ${alg}`).join(), 'a HS256,b HS256')
  t.equal(set.refresh?.kid, 'r')
  t.match(set.signing, { secret: { length: 32 } })
  t.ok(Object.isFrozen(set) && Object.isFrozen(set.keys) && Object.isFrozen(set.signing))
})

t.test('refuses a broken JWK Set as a whole, without a secret in the message', async (t) => {
  const shared = secret().toString('base64url')
  // biome-ignore format: a table
  const broken: [what: string, text: string, code: string][] = [
    ['empty', '', 'keyring_malformed'],
    ['a byte order mark', `\ufeff${jwks(jwk('a'))}`, 'keyring_malformed'],
    ['truncated', jwks(jwk('a')).slice(0, -2), 'keyring_malformed'],
    ['not a set', '[]', 'keyring_malformed'],
    ['keys not an array', '{"keys":{}}', 'keyring_malformed'],
    ['a duplicate member', `{"keys":[],"keys":[${JSON.stringify(jwk('a'))}]}`, 'keyring_malformed'],
    ['no key', jwks(), 'keyring_empty'],
    ['only a refresh key', jwks(jwk('r', { use: 'latchkey:refresh' })), 'keyring_empty'],
    ['a null key', '{"keys":[null]}', 'keyring_malformed'],
    ['another kty', jwks(jwk('a'), jwk('b', { kty: 'EC' })), 'keyring_malformed'],
    ['another alg', jwks(jwk('a'), jwk('b', { alg: 'HS512' })), 'keyring_malformed'],
    ['no alg', jwks(jwk('a', { alg: undefined })), 'keyring_malformed'],
    ['no kid', jwks(jwk('a'), jwk('b', { kid: undefined })), 'keyring_malformed'],
    ['kid a number', jwks(jwk('a', { kid: 1 })), 'keyring_malformed'],
    ['a duplicate kid', jwks(jwk('a'), jwk('a')), 'keyring_duplicate_kid'],
    ['a kid shared with the refresh key', jwks(jwk('a'), jwk('a', { use: 'latchkey:refresh' })), 'keyring_duplicate_kid'],
    ['no k', jwks(jwk('a', { k: undefined })), 'keyring_malformed'],
    ['k padded', jwks(jwk('a', { k: `${shared}=` })), 'keyring_malformed'],
    ['k in base64', jwks(jwk('a', { k: secret().toString('base64').replace(/[^=]/g, '+') })), 'keyring_malformed'],
    ['two refresh keys', jwks(jwk('a'), jwk('r', { use: 'latchkey:refresh' }), jwk('s', { use: 'latchkey:refresh' })), 'keyring_malformed'],
    ['one secret for both', jwks(jwk('a', { k: shared }), jwk('r', { use: 'latchkey:refresh', k: shared })), 'keyring_malformed'],
  ]
  for (const [what, given, code] of broken) {
    t.throws(() => parseKeySet(given), { name: 'KeyringError', code }, what)
    try {
      parseKeySet(given)
    } catch (err) {
      t.notOk(String(err).includes(shared.slice(0, 8)), what)
    }
  }
})

t.test('reads the keys of ID tokens, which verify no access token', async (t) => {
  const [first, second] = [rsa('first'), rsa('second', 3072)]
  const set = parseKeySet(jwks(first, jwk('a'), second))
  t.strictSame(
    set.idTokenKeys.map(({ kid }) => kid),
    ['first', 'second'],
  )
  t.strictSame(
    set.keys.map(({ kid }) => kid),
    ['a'],
  )
  t.strictSame(parseKeySet(jwks(jwk('a'))).idTokenKeys, [])
  const [key] = set.idTokenKeys
  if (key === undefined) throw new Error('no key')
  const privateKey = createPrivateKey({ key: key.privateJwk, format: 'jwk' })
  const publicKey = createPublicKey({ key: { kty: 'RSA', n: key.n, e: key.e }, format: 'jwk' })
  const data = Buffer.from('x')
  t.ok(verify('sha256', data, publicKey, signBytes('sha256', data, privateKey)))
  t.strictSame({ ...key }, { kid: 'first', alg: 'RS256', n: first.n, e: first.e })
  for (const text of [JSON.stringify(set), inspect(set, { depth: 9 })]) {
    t.notOk(text.includes(String(first.d)), 'logging a set leaves the private part out')
  }
  t.ok(Object.isFrozen(key) && Object.isFrozen(key.privateJwk) && Object.isFrozen(set.idTokenKeys))
})

t.test('reads the keys of a service: the first is in use', (t) => {
  const own = (kid: string, members = {}) => jwk(kid, { use: 'latchkey:service', ...members })
  const { service, serviceKeys } = parseKeySet(jwks(own('b/orders'), jwk('a'), own('a/orders')))
  t.equal(serviceKeys.map(({ kid }) => kid).join(), 'b/orders,a/orders')
  t.equal(service, serviceKeys[0])
  t.match(parseKeySet(jwks(jwk('a'))), { service: undefined, serviceKeys: [] })
  const k = secret().toString('base64url')
  const code = 'keyring_malformed'
  const two = [own('b/orders'), own('b/billing')]
  t.throws(() => parseKeySet(jwks(jwk('a'), ...two)), {
    code,
    message: 'keys of more than one service',
  })
  t.throws(() => parseKeySet(jwks(jwk('a', { k }), own('b/orders'), own('a/orders', { k }))), {
    code,
  })
  t.end()
})

t.test('refuses a key for ID tokens that is weak, incomplete or another', async (t) => {
  const [good, other] = [rsa('r'), rsa('other')]
  // biome-ignore format: a table
  const broken: [what: string, key: object, message: RegExp][] = [
    ['a short modulus', rsa('r', 2040), /key "r": n must have at least 2048 bits/],
    ['a small exponent', rsa('r', 2048, 3), /e must be at least 65537/],
    ['another kty', { ...good, kty: 'EC' }, /key 2: a key for ID tokens has kty "RSA" and alg "RS256"/],
    ['a secret', jwk('r', { use: 'latchkey:id-token' }), /has kty "RSA"/],
    ['another alg', { ...good, alg: 'PS256' }, /alg "RS256"/],
    ['no alg', { ...good, alg: undefined }, /alg "RS256"/],
    ['no kid', { ...good, kid: undefined }, /key 2: kid is missing/],
    ['a kid of another key', { ...good, kid: 'a' }, /two keys have the kid "a"/],
    ['a padded member', { ...good, e: 'AQAB==' }, /e is missing or not base64url/],
    ['an empty member', { ...good, p: '' }, /p is missing or not base64url/],
    ...['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'].map((name): [string, object, RegExp] =>
      [`no ${name}`, { ...good, [name]: undefined }, new RegExp(`${name} is missing or not`)]),
    ...['n', 'd', 'p', 'q', 'dp', 'dq', 'qi'].map((name): [string, object, RegExp] =>
      [`${name} of another key`, { ...good, [name]: other[name as 'n'] }, /does not belong to n and e/]),
    ['p of 1', { ...good, p: 'AQ', q: good.n }, /does not belong to n and e/],
    ['q of 0', { ...good, q: 'AA' }, /does not belong to n and e/],
  ]
  for (const [what, key, message] of broken) {
    t.throws(() => parseKeySet(jwks(jwk('a'), key)), { name: 'KeyringError', message }, what)
  }
})

t.test('refuses weak secrets', async (t) => {
  const weak = {
    short: randomBytes(31),
    empty: Buffer.alloc(0),
    zeros: Buffer.alloc(32),
    'one letter': Buffer.alloc(64, 'a'),
    'two letters': Buffer.alloc(64, 'ab'),
    'a repeated block of 128 bits': Buffer.alloc(64, randomBytes(16)),
    'counting up': Buffer.from(Array.from({ length: 64 }, (_, i) => i)),
    'counting down': Buffer.from(Array.from({ length: 40 }, (_, i) => 250 - 3 * i)),
    'few values': Buffer.from(Array.from({ length: 64 }, (_, i) => (i * i) % 11)),
    'jwt.io': Buffer.from('a-string-secret-at-least-256-bits-long'),
    Supabase: Buffer.from('super-secret-jwt-token-with-at-least-32-characters-long'),
    'a placeholder': Buffer.from('please-CHANGE_ME-before-production-0123456789'),
    'a password': Buffer.from('correct horse battery staple is my Password 1'),
    '32 hexadecimal digits': Buffer.from(randomBytes(16).toString('hex')),
    '32 letters of base64': Buffer.from(randomBytes(24).toString('base64')),
  }
  for (const [what, given] of Object.entries(weak)) {
    const set = jwks(jwk('a', { k: given.toString('base64url') }))
    t.throws(() => parseKeySet(set), { code: 'keyring_weak_secret' }, what)
  }
})

t.test('accepts strong secrets, as bytes and as text', async (t) => {
  for (let i = 0; i < 1000; i++) {
    const forms = [secret(), randomBytes(64), secret().toString('hex'), secret().toString('base64')]
    for (const form of forms) {
      const k = Buffer.from(form as string).toString('base64url')
      if (parseKeySet(jwks(jwk('a', { k }))).signing.kid !== 'a') t.fail(k)
    }
  }
  t.pass('4,000 secrets')
})

t.test('a key leaves its secret out when logged or serialised', async (t) => {
  const { signing } = parseKeySet(jwks(jwk('a')))
  t.equal(JSON.stringify(signing), '{"kid":"a","alg":"HS256"}')
  t.notMatch(inspect(signing, { depth: 9 }), /secret|Uint8Array/)
  t.strictSame({ ...signing }, { kid: 'a', alg: 'HS256' })
})

t.test('throws when a file cannot be used as it is opened', async (t) => {
  const folder = await createFolder(t)
  t.throws(() => openKeyring(join(folder, 'none')), {
    code: 'keyring_unreadable',
    message: /none cannot be read: it does not exist \(ENOENT\)/,
  })
  t.throws(() => openKeyring(folder), {
    code: 'keyring_unreadable',
    message: /it is a folder \(EISDIR\)/,
  })
  await writeFile(join(folder, 'bad'), '{')
  t.throws(() => openKeyring(join(folder, 'bad')), { code: 'keyring_malformed' })
  await writeFile(join(folder, 'bom'), `\ufeff${jwks(jwk('a'))}`)
  t.throws(() => openKeyring(join(folder, 'bom')), /bom: it starts with a byte order mark/)
  await writeFile(join(folder, 'wide'), jwks(jwk('a')), 'utf16le')
  t.throws(() => openKeyring(join(folder, 'wide')), /wide: it is not UTF-8 text/)
  t.throws(() => openKeyring(''), TypeError)
})

t.test('follows writes in place and renames', async (t) => {
  const folder = await createFolder(t)
  const file = join(folder, 'keys.json')
  await writeFile(file, jwks(jwk('a')))
  const { keyring, kids, errors } = follow(t, file)
  const told: string[] = []
  const unsubscribe = keyring.subscribe((set) => told.push(set.signing.kid))

  await writeFile(file, jwks(jwk('b'), jwk('a')))
  await until(t, 'written in place', () => kids() === 'b,a')
  const before = keyring.current

  await writeFile(join(folder, 'new'), jwks(jwk('c')))
  await rename(join(folder, 'new'), file)
  await until(t, 'renamed', () => kids() === 'c')
  t.not(keyring.current, before)
  t.equal(before.signing.kid, 'b', 'an earlier set does not change')

  t.strictSame(told, ['b', 'c'])
  unsubscribe()
  await writeFile(file, jwks(jwk('d')))
  await until(t, 'written again', () => kids() === 'd')
  t.strictSame(told, ['b', 'c'])
  t.strictSame(errors, [])
})

t.test('keeps following when a listener fails, and reports it', async (t) => {
  const warnings = t.capture(process, 'emitWarning')
  const file = join(await createFolder(t), 'keys.json')
  await writeFile(file, jwks(jwk('a')))
  const fail = () => {
    throw new Error('a mistake')
  }
  const rejected = (async () => fail()) as () => void
  const keyring = openKeyring(file, { onReload: fail, onError: rejected })
  t.teardown(() => keyring.close())
  keyring.subscribe(rejected)
  const seen: string[] = []
  const warned = (name: string) => () => {
    seen.push(...warnings().map(({ args }) => String(args[0])))
    return seen.some((warning) => warning.startsWith(`${name} of a keyring failed`))
  }
  for (const kid of ['b', 'c']) {
    await writeFile(file, jwks(jwk(kid)))
    await until(t, `loads ${kid}`, () => keyring.current.signing.kid === kid)
  }
  await writeFile(file, '{')
  for (const name of ['onReload', 'a listener', 'onError']) await until(t, name, warned(name))
})

t.test("follows Kubernetes' swap of ..data", async (t) => {
  const folder = await createFolder(t)
  const publish = async (version: string, content: string) => {
    await writeFile(join(folder, version), content)
    await symlink(version, join(folder, '..data_tmp'))
    await rename(join(folder, '..data_tmp'), join(folder, '..data'))
  }
  await publish('..1', jwks(jwk('a')))
  await symlink('..data', join(folder, 'keys.json'))
  const { kids } = follow(t, join(folder, 'keys.json'))
  await publish('..2', jwks(jwk('b')))
  await until(t, 'swapped', () => kids() === 'b')
})

t.test(
  'keeps the old keys while the file is broken, missing or weak, and reports it once',
  async (t) => {
    const folder = await createFolder(t)
    const file = join(folder, 'keys.json')
    const good = jwks(jwk('a'))
    await writeFile(file, good)
    const { kids, errors } = follow(t, file)
    const codes = () => errors.map(({ code }) => code).join()

    await writeFile(file, good.slice(0, 40))
    await until(t, 'truncated', () => codes() === 'keyring_malformed')
    await rm(file)
    await until(t, 'removed', () => codes() === 'keyring_malformed,keyring_unreadable')
    await new Promise((done) => setTimeout(done, 1500))
    await writeFile(file, jwks(jwk('b', { k: text('changeme'.repeat(8)) })))
    await until(t, 'weak', () => codes().endsWith('keyring_unreadable,keyring_weak_secret'))
    t.equal(kids(), 'a')
    await writeFile(file, jwks(jwk('c')))
    await until(t, 'repaired', () => kids() === 'c')
    t.equal(errors.length, 3)
  },
)

t.test('a verifier follows its key file', async (t) => {
  const file = join(await createFolder(t), 'keys.json')
  const [old, young] = [secret(), secret()]
  const write = (kid: string, k: Buffer) =>
    writeFile(file, jwks(jwk(kid, { k: k.toString('base64url') })))
  await write('old', old)
  const verifier = createVerifier({ ...policy, keys: { file } })
  const oldToken = sign({ ...header, kid: 'old' }, claims(), old)
  const youngToken = sign({ ...header, kid: 'young' }, claims(), young)
  t.ok(verifier.check(oldToken).ok && verifier.check(oldToken).ok && verifier.check(oldToken).ok)
  t.match(verifier.check(youngToken), { error: { code: 'token_unknown_key' } })
  await write('young', young)
  await until(t, 'reloaded', () => verifier.check(youngToken).ok)
  t.match(verifier.check(oldToken), { error: { code: 'token_unknown_key' } })
})
