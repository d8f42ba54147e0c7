import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { latchkey, run } from './command.ts'
import { issuer, login, register, startAuth } from './support.ts'

t.test('keys generate writes a file for its owner only, and never overwrites one', async (t) => {
  const file = join(t.testdir(), 'keys.json')
  const generated = await latchkey('keys', 'generate', '--out', file)
  t.equal(generated.code, 0)
  const text = await readFile(file, 'utf8')
  const { keys } = JSON.parse(text)
  t.match(keys, [
    { kty: 'oct', alg: 'HS256', k: /^[\w-]{43}$/ },
    { kty: 'oct', use: 'latchkey:refresh', k: /^[\w-]{43}$/ },
  ])
  t.equal((await stat(file)).mode & 0o777, 0o600)
  t.notOk(generated.stdout.includes(keys[0].k), 'prints no secret')
  const again = await latchkey('keys', 'generate', '--out', file)
  t.equal(again.code, 1)
  t.match(again.stderr, /already exists; move it/)
  t.equal(await readFile(file, 'utf8'), text)
})

t.test('every change of the keys updates the file of the other services', async (t) => {
  const folder = t.testdir()
  const [keys, verifying] = [join(folder, 'keys.json'), join(folder, 'verifying.json')]
  const files = ['--keys', keys, '--verifying-keys', verifying]
  const read = async (file: string): Promise<{ kid: string; use?: string }[]> =>
    JSON.parse(await readFile(file, 'utf8')).keys
  const matches = async (title: string) => {
    const all = await read(keys)
    t.ok(all.some(({ use }) => use === 'latchkey:refresh'))
    t.strictSame(
      await read(verifying),
      all.filter(({ use }) => use === undefined),
      title,
    )
    t.equal((await stat(verifying)).mode & 0o777, 0o600)
  }
  await latchkey('keys', 'generate', '--out', keys, '--verifying-keys', verifying)
  await matches('generate')
  const [first] = await read(keys)
  for (const step of [
    ['add', 'next'],
    ['promote', 'next', '--force'],
    ['retire', first?.kid ?? '', '--force'],
    ['export'],
  ]) {
    if (step[0] === 'export') await rm(verifying)
    const { code, stderr } = await latchkey('keys', ...step, ...files)
    t.equal(code, 0, stderr)
    await matches(step.join(' '))
  }
  const clash = await latchkey('keys', 'export', '--keys', keys, '--verifying-keys', keys)
  t.equal(clash.code, 1)
  t.match(clash.stderr, /must name another file/)
  t.equal((await read(keys)).length, 2)
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
