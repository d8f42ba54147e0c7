import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  createJwkSet,
  createServiceSet,
  createTokenJwk,
  type Jwk,
  type JwkSet,
} from '../src/keys/jwk.ts'
import { latchkey, run } from './command.ts'
import { createConfig, issuer, login, register, startAuth } from './support.ts'

t.test('keys generate writes a file for its owner only, and never overwrites one', async (t) => {
  const file = join(t.testdir(), 'keys.json')
  const generated = await latchkey('keys', 'generate', '--out', file)
  t.equal(generated.code, 0)
  const text = await readFile(file, 'utf8')
  const { keys } = JSON.parse(text)
  t.match(keys, [
    { kty: 'oct', alg: 'HS256' },
    { kty: 'oct', use: 'latchkey:refresh' },
    { kty: 'oct', use: 'latchkey:root' },
    { kty: 'RSA', alg: 'RS256', use: 'latchkey:id-token', kid: `${keys[0].kid}-id-token` },
  ])
  t.strictSame(Object.keys(keys[3]).sort().join(), 'alg,d,dp,dq,e,kid,kty,n,p,q,qi,use')
  for (const { k } of keys.slice(0, 3)) {
    // As text, other software can use the same secret.
    t.match(Buffer.from(k, 'base64url').toString('latin1'), /^[\w-]{43}$/)
  }
  t.equal((await stat(file)).mode & 0o777, 0o600)
  t.notOk(generated.stdout.includes(keys[0].k), 'prints no secret')
  const again = await latchkey('keys', 'generate', '--out', file)
  t.equal(again.code, 1)
  t.match(again.stderr, /already exists; move it/)
  t.equal(await readFile(file, 'utf8'), text)
})

type Keys = { kid: string; use?: string; k?: string; d?: string }[]

const readKeys = async (file: string): Promise<Keys> =>
  JSON.parse(await readFile(file, 'utf8')).keys

t.test('every change of the keys updates the files of the services', async (t) => {
  const folder = t.testdir()
  const [keys, serviceKeys] = [join(folder, 'keys.json'), join(folder, 'services')]
  const files = ['--keys', keys, '--service-keys', serviceKeys]
  const services = ['orders', 'billing']
  const matches = async (title: string) => {
    const all = await readKeys(keys)
    const roots = all.filter(({ use }) => use === 'latchkey:root')
    for (const service of services) {
      const file = join(serviceKeys, service, 'keys.json')
      const exported = await readKeys(file)
      const own = exported.splice(-roots.length)
      t.match(
        own,
        roots.map(({ kid }) => ({ kid: `${kid}/${service}`, use: 'latchkey:service' })),
        title,
      )
      const tokenKeys = all.filter(({ use }) => use === undefined)
      t.strictSame(
        exported,
        tokenKeys.map(({ d: _private, ...key }) => key),
        title,
      )
      t.equal((await stat(file)).mode & 0o777, 0o600)
    }
  }
  const generated = await latchkey(
    ...['keys', 'generate', '--out', keys, '--service-keys', serviceKeys],
    ...['--service', ...services],
  )
  t.equal(generated.code, 0, generated.stderr)
  await matches('generate')
  const [first] = await readKeys(keys)
  for (const step of [
    ['add', 'next', '--alg', 'ES256'],
    ['add', 'next-root', '--root'],
    ['add', 'next-id-token', '--id-token'],
    ['promote', 'next', '--force'],
    ['promote', 'next-root', '--force'],
    ['promote', 'next-id-token', '--force'],
    ['retire', first?.kid ?? '', '--force'],
  ]) {
    const { code, stderr } = await latchkey('keys', ...step, ...files)
    t.equal(code, 0, stderr)
    await matches(step.join(' '))
  }
  await rm(join(serviceKeys, 'orders'), { recursive: true })
  t.match(await latchkey('keys', 'export', ...files, '--service', 'orders'), { code: 0 })
  await matches('export')
  const [ecKey] = await readKeys(join(serviceKeys, 'orders', 'keys.json'))
  t.match(ecKey, { kid: 'next', kty: 'EC', alg: 'ES256', crv: 'P-256', d: undefined })
})

t.test('keys export refuses names that speak for auth, or leave the folder', async (t) => {
  const folder = t.testdir()
  const keys = join(folder, 'keys.json')
  await latchkey('keys', 'generate', '--out', keys)
  const files = ['--keys', keys, '--service-keys', join(folder, 'services')]
  const nowhere = ['keys', 'generate', '--out', `${keys}.2`, '--service', 'orders'] as const
  t.match(await latchkey(...nowhere), { code: 1, stderr: /requires --service-keys/ })
  for (const name of ['operator', 'auth', '..', '.', 'a/b', '', 'ü', 'x'.repeat(65)]) {
    const refused = await latchkey('keys', 'export', ...files, '--service', name)
    t.match(refused, { code: 1, stderr: /a service's name is 1 to 64 letters/ }, name)
  }
  t.match(await latchkey('keys', 'export', ...files), { code: 1, stderr: /pass --service <name>/ })
  t.strictSame(await readdir(folder), ['keys.json'])
})

t.test("the folder of a new key file can be read by those who can read auth's file", async (t) => {
  const folder = t.testdir()
  const [keys, services] = [join(folder, 'keys.json'), join(folder, 'services')]
  await latchkey('keys', 'generate', '--out', keys)
  const isRoot = process.getuid?.() === 0
  if (isRoot) await chown(keys, 1000, 1001)
  await chmod(keys, 0o640)
  const files = ['--keys', keys, '--service-keys', services]
  t.match(await latchkey('keys', 'export', ...files, '--service', 'orders'), { code: 0 })
  const owner = await stat(keys)
  for (const path of [services, join(services, 'orders')]) {
    const { mode, uid, gid } = await stat(path)
    t.strictSame([mode & 0o777, uid, gid], [0o750, owner.uid, owner.gid], path)
  }
})

t.test('a change skips no key file of a service silently', async (t) => {
  const folder = t.testdir()
  const [keys, services] = [join(folder, 'keys.json'), join(folder, 'services')]
  await latchkey('keys', 'generate', '--out', keys)
  const before = await readFile(keys, 'utf8')
  await mkdir(join(services, 'orders'), { recursive: true })
  await symlink('keys.json', join(services, 'orders', 'keys.json'))
  const files = ['--keys', keys, '--service-keys', services]
  t.match(await latchkey('keys', 'add', 'next', ...files), { code: 1, stderr: /ELOOP.*orders/ })
  t.equal(await readFile(keys, 'utf8'), before)
  t.strictSame(await readdir(folder), ['keys.json', 'services'], 'leaves no draft')
  const elsewhere = ['--keys', keys, '--service-keys', join(folder, 'none')]
  const added = await latchkey('keys', 'add', 'next', ...elsewhere)
  t.match(added, { code: 0, stdout: /No service has a key file in .*none/ })
})

t.test('refuses to change the key file of a service', async (t) => {
  const folder = t.testdir()
  const [keys, services] = [join(folder, 'keys.json'), join(folder, 'services')]
  const generated = ['--out', keys, '--service-keys', services, '--service', 'orders']
  await latchkey('keys', 'generate', ...generated)
  const file = join(services, 'orders', 'keys.json')
  const before = await readFile(file, 'utf8')
  for (const change of [['add'], ['add', '--root'], ['export', '--service-keys', services]]) {
    const refused = await latchkey('keys', ...change, '--keys', file)
    t.match(refused, {
      code: 1,
      stderr: /is the key file of a service \(.*\/orders\); pass that of/,
    })
  }
  t.equal(await readFile(file, 'utf8'), before)
})

t.test('a key file of version 0.1 gets a root key, and then key files of services', async (t) => {
  const folder = t.testdir()
  const [keys, services] = [join(folder, 'keys.json'), join(folder, 'services')]
  await latchkey('keys', 'generate', '--out', keys)
  const old = (await readKeys(keys)).filter(({ use }) => use !== 'latchkey:root')
  await writeFile(keys, JSON.stringify({ keys: old }))
  const files = ['--keys', keys, '--service-keys', services]
  const early = await latchkey('keys', 'export', ...files, '--service', 'orders')
  t.match(early, { code: 1, stderr: /has no root key.*latchkey keys add --root/ })
  const added = await latchkey('keys', 'add', '--root', ...files)
  t.match(added, { code: 0, stdout: /keys of services are derived from it/ })
  const exported = await latchkey('keys', 'export', ...files, '--service', 'orders')
  t.match(exported, { code: 0, stdout: /Wrote .*orders\/keys\.json/ })
  t.match(await readKeys(keys), [...old, { use: 'latchkey:root' }])
})

t.test('inspect explains a token and reports whether it is valid', async (t) => {
  const app = await startAuth(t)
  const { access_token } = await login(app, await register(app))
  const file = app.config.LATCHKEY_KEYS_FILE
  const unverified = await latchkey('inspect', access_token)
  t.equal(unverified.code, 0)
  t.match(
    unverified.stdout,
    /"HS256"[\s\S]*expires \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, in 15 minutes/,
  )
  t.match(unverified.stdout, /Not verified: pass the key file/)

  const inspect = (token: string, ...options: string[]) =>
    latchkey('inspect', token, '--keys', file, ...options)
  const valid = await inspect(access_token, '-i', issuer, '-a', 'orders')
  t.equal(valid.code, 0)
  t.match(valid.stdout, /The signature and the claims are valid\.\n$/)

  const elsewhere = await inspect(access_token, '-a', 'shop')
  t.equal(elsewhere.code, 1)
  t.match(elsewhere.stdout, /Refused \(token_audience\)/)

  const tampered = await inspect(`${access_token.slice(0, -4)}AAAA`)
  t.equal(tampered.code, 1)
  t.match(tampered.stdout, /Refused \(token_signature\)/)
})

t.test('inspect prints what it can read, and exits with 1 if it is no token', async (t) => {
  for (const rubbish of [
    '',
    'x',
    'e30',
    'a.b.c',
    '....',
    'null.null.null',
    'W10.W10.',
    'e30.x.y',
  ]) {
    const { code, stdout, stderr } = await latchkey('inspect', rubbish)
    t.equal(code, 1, rubbish)
    t.not(stdout, '')
    t.equal(stderr, '')
  }
})

t.test('inspect escapes everything that a terminal would interpret', async (t) => {
  const header = Buffer.from('{"alg":"HS256"}').toString('base64url')
  const name = 'a\u001b[31m\u009b\u007f'
  const claims = {
    [name]: '\u001b]0;x\u0007\u0085\u009b2J\u202e\u2028',
    constructor: 1,
    toString: 2,
  }
  const body = Buffer.from(JSON.stringify(claims)).toString('base64url')
  const { code, stdout, stderr } = await latchkey('inspect', `${header}.${body}.x`)
  t.match({ code, stderr }, { code: 0, stderr: '' })
  t.notMatch(stdout, /[^\P{C}\n]|[\u2028\u2029]/u)
  t.match(stdout, 'a\\u001b[31m\\u009b\\u007f')
  t.match(stdout, '\\u0085\\u009b2J\\u202e\\u2028')
  t.match(stdout, /constructor +1\n/)
})

t.test('the service names every missing or invalid setting, without its value', async (t) => {
  const env = {
    LATCHKEY_KEYS_FILE: join(t.testdir(), 'none.json'),
    LATCHKEY_DATABASE_URL: 'postgres://127.0.0.1:1/x',
    LATCHKEY_ISSUER: issuer,
    LATCHKEY_AUDIENCES: 'orders',
  }
  const missing = await run('main.ts', [], env)
  t.equal(missing.code, 1)
  t.match(missing.stderr, /auth cannot start: .*latchkey keys generate/)
  const unset = await run('main.ts', [], {})
  t.equal(unset.code, 1)
  for (const name of Object.keys(env)) t.match(unset.stderr, `${name} is not set`)
  const url = 'mysql://root:hunter2@db'
  const wrong = await run('main.ts', [], { ...env, LATCHKEY_DATABASE_URL: url, LATCHKEY_PORT: 'x' })
  t.match(wrong.stderr, /LATCHKEY_DATABASE_URL must be a URL/)
  t.match(wrong.stderr, /LATCHKEY_PORT must be an integer from 0 to 65535/)
  t.notMatch(wrong.stderr, /hunter2/)
})

t.test('a key file that auth cannot use ends its start with one sentence', async (t) => {
  const config = await createConfig(t)
  const start = async (set: JwkSet) => {
    await writeFile(config.LATCHKEY_KEYS_FILE, JSON.stringify(set))
    const names = Object.entries(config).map(([name, value]) => [name, String(value)])
    return (await run('main.ts', [], Object.fromEntries(names))).stderr
  }
  const sentence = (text: string) =>
    new RegExp(`^auth cannot start: LATCHKEY_KEYS_FILE: ${text}\n$`)
  const set = createJwkSet('ES256')
  const [key, ...others] = set.keys as [Jwk, ...Jwk[]]
  t.match(
    await start(createServiceSet(set, 'orders')),
    sentence('it is the key file of a service.*'),
  )
  t.match(await start({ keys: [key] }), sentence('the key file has no key with .*'))
  const { d: _private, ...publicKey } = key
  t.match(await start({ keys: [publicKey, ...others] }), sentence('.* has no private part .*'))
  const foreign = { ...createTokenJwk(key.kid, 'ES256'), d: key.d ?? '' }
  t.match(await start({ keys: [foreign, ...others] }), sentence('.* belongs to another .*'))
})
