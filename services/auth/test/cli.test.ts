import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { issuer, login, register, startAuth } from './support.ts'

const main = new URL('../src/cli/main.ts', import.meta.url).pathname

interface Run {
  code: number
  stdout: string
  stderr: string
}

const latchkey = (...args: string[]): Promise<Run> =>
  new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { timeout: 20_000 }, (err, stdout, stderr) =>
      resolve({ code: Number(err?.code ?? 0), stdout, stderr }),
    )
  })

const folderFor = async (t: { teardown(clean: () => unknown): unknown }) => {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-cli-'))
  t.teardown(() => rm(folder, { recursive: true }))
  return folder
}

t.test(
  'keys generate writes a keyring that its owner alone can read, and never over another',
  async (t) => {
    const file = join(await folderFor(t), 'keys.json')
    const made = await latchkey('keys', 'generate', '--out', file)
    t.equal(made.code, 0)
    const text = await readFile(file, 'utf8')
    const { keys } = JSON.parse(text)
    t.match(keys, [
      { kty: 'oct', alg: 'HS256', k: /^[\w-]{43}$/ },
      { kty: 'oct', use: 'latchkey:refresh', k: /^[\w-]{43}$/ },
    ])
    t.equal((await stat(file)).mode & 0o777, 0o600)
    t.notOk(made.stdout.includes(keys[0].k), 'no key is shown')
    const again = await latchkey('keys', 'generate', '--out', file)
    t.equal(again.code, 1)
    t.match(again.stderr, /exists; move it away first/)
    t.equal(await readFile(file, 'utf8'), text)
  },
)

t.test('inspect explains a token and says whether it holds', async (t) => {
  const app = await startAuth(t)
  const { access_token } = await login(app, await register(app))
  const file = app.config.LATCHKEY_KEYS_FILE
  const shown = await latchkey('inspect', access_token)
  t.equal(shown.code, 0)
  t.match(shown.stdout, /"HS256"[\s\S]*expires \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, in 15 minutes/)
  t.match(shown.stdout, /Not verified: give the keyring/)

  const holds = await latchkey(
    'inspect',
    access_token,
    '--keys',
    file,
    '-i',
    issuer,
    '-a',
    'orders',
  )
  t.equal(holds.code, 0)
  t.match(holds.stdout, /The signature and the claims hold\.\n$/)

  const elsewhere = await latchkey('inspect', access_token, '--keys', file, '-a', 'shop')
  t.equal(elsewhere.code, 1)
  t.match(elsewhere.stdout, /Refused \(token_audience\)/)

  const tampered = await latchkey('inspect', `${access_token.slice(0, -4)}AAAA`, '--keys', file)
  t.equal(tampered.code, 1)
  t.match(tampered.stdout, /Refused \(token_signature\)/)
})

t.test('inspect shows what it can of rubbish', async (t) => {
  for (const rubbish of ['', 'x', 'a.b.c', '....', 'lkr_abc', 'null.null.null', 'W10.W10.']) {
    const { code, stdout, stderr } = await latchkey('inspect', rubbish)
    t.equal(code, 0, rubbish)
    t.not(stdout, '')
    t.equal(stderr, '')
  }
})

t.test('inspect prints nothing that a terminal would obey', async (t) => {
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

t.test('a service without a keyring says how to make one', async (t) => {
  const folder = await folderFor(t)
  const service = new URL('../src/main.ts', import.meta.url).pathname
  const env = {
    LATCHKEY_KEYS_FILE: join(folder, 'none.json'),
    LATCHKEY_DATABASE_URL: 'postgres://127.0.0.1:1/x',
    LATCHKEY_ISSUER: issuer,
    LATCHKEY_AUDIENCES: 'orders',
  }
  const run = (vars: NodeJS.ProcessEnv) =>
    new Promise<Run>((resolve) => {
      execFile(process.execPath, [service], { env: vars, timeout: 20_000 }, (err, stdout, stderr) =>
        resolve({ code: Number(err?.code ?? 0), stdout, stderr }),
      )
    })
  const missing = await run(env)
  t.equal(missing.code, 1)
  t.match(missing.stderr, /auth cannot start: .*latchkey keys generate/)
  const unset = await run({})
  t.equal(unset.code, 1)
  for (const name of Object.keys(env)) t.match(unset.stderr, `${name} is not set`)
  const wrong = await run({
    ...env,
    LATCHKEY_DATABASE_URL: 'mysql://root:hunter2@db',
    LATCHKEY_PORT: 'x',
  })
  t.match(
    wrong.stderr,
    /LATCHKEY_DATABASE_URL must match[\s\S]*LATCHKEY_PORT must be integer|LATCHKEY_PORT must be integer[\s\S]*LATCHKEY_DATABASE_URL must match/,
  )
  t.notMatch(wrong.stderr, /hunter2/)
})
