import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { addKey, objectToPromotion, objectToRetirement } from '../src/keys/rotation.ts'
import { issuer, login, refresh, register, startAuth, type Tokens } from './support.ts'

const main = new URL('../src/cli/main.ts', import.meta.url).pathname

interface Run {
  code: number
  stdout: string
  stderr: string
}

const keys = (...args: string[]): Promise<Run> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      [main, 'keys', ...args],
      { timeout: 20_000 },
      (err, stdout, stderr) => resolve({ code: Number(err?.code ?? 0), stdout, stderr }),
    )
  })

const kidsOf = async (file: string): Promise<string[]> =>
  JSON.parse(await readFile(file, 'utf8')).keys.map(({ kid }: { kid: string }) => kid)

t.test(
  'a key is added, promoted and retired while the service runs, and every live token holds',
  async (t) => {
    const app = await startAuth(t)
    const auth = await app.listen({ host: '127.0.0.1', port: 0 })
    const file = app.config.LATCHKEY_KEYS_FILE
    const where = ['--keys', file, '--auth', auth, '--issuer', issuer]
    const old = app.keyring.current.signing.kid
    const { access_token, refresh_token } = await login(app, await register(app))

    t.match(await keys('add', 'next', '--keys', file), { code: 0, stdout: /Added next/ })
    const early = await keys('promote', ...where)
    if (early.code === 1) t.match(early.stderr, /auth-1 \(seen \d+ s ago\) does not hold next yet/)
    await sleep(2_300)
    t.match((await keys('status', ...where)).stdout, /auth-1 +auth +\S+ next +- /)
    t.match(await keys('promote', ...where), {
      code: 0,
      stdout: /next signs from the next reload on/,
    })
    const tooEarly = await keys('retire', old, ...where)
    t.equal(tooEarly.code, 1)
    t.match(tooEarly.stderr, /auth-1 signs with|tokens signed with \S+ may live for \d+ s more/)
    t.strictSame((await kidsOf(file)).slice(0, 2), ['next', old])

    await sleep(1_500)
    const again = await keys('promote', ...where)
    t.equal(again.code, 1)
    t.match(again.stderr, `${old} has signed before; name the key`)
    const forced = await keys('promote', ...where, '--force')
    t.match(forced, { code: 1, stderr: /with --force, name the key/ })
    t.equal((await kidsOf(file))[0], 'next', 'promoting twice does not bring the old key back')
    const after = (await refresh(app, refresh_token)).json<Tokens>()
    const { kid } = JSON.parse(
      Buffer.from(after.access_token.split('.')[0] ?? '', 'base64url').toString(),
    )
    t.equal(kid, 'next')
    const me = await app.inject({
      url: '/v1/me',
      headers: { authorization: `Bearer ${access_token}` },
    })
    t.equal(me.statusCode, 200, 'a token of the old key holds until it expires')

    // As if the lifetime had passed; the drill `rotation` waits for it.
    await app.db.query('UPDATE signing_keys SET live_until = now() WHERE kid = $1', [old])
    t.match(await keys('retire', old, ...where), { code: 0, stdout: /Retired/ })
    t.notOk((await kidsOf(file)).includes(old))
    t.equal((await refresh(app, after.refresh_token)).statusCode, 200, 'sessions outlive the keys')
  },
)

t.test(
  'promote is refused while a verifier lacks the key, and says whom --force would hurt',
  async (t) => {
    const app = await startAuth(t)
    const auth = await app.listen({ host: '127.0.0.1', port: 0 })
    const file = app.config.LATCHKEY_KEYS_FILE
    const where = ['--keys', file, '--auth', auth, '--issuer', issuer]
    await keys('add', 'next', '--keys', file)
    await sleep(2_300)
    await app.db.query(
      `INSERT INTO verifiers VALUES ('orders-2', 'orders', '{old}', now()), ('gone', 'orders', '{old}', now() - interval '2 min')`,
    )
    const refused = await keys('promote', 'next', ...where)
    t.equal(refused.code, 1)
    t.match(refused.stderr, /orders-2 \(seen \d+ s ago\) does not hold next yet and would refuse/)
    t.notMatch(refused.stderr, /gone/)
    t.not((await kidsOf(file))[0], 'next')
    const forced = await keys('promote', 'next', ...where, '--force')
    t.equal(forced.code, 0)
    t.match(forced.stderr, /Forced in spite of:[\s\S]*orders-2/)
    t.equal((await kidsOf(file))[0], 'next')
  },
)

t.test('a key stays while any service signs its polls with it', async (t) => {
  const verifier = (service: string, kids: string[]) => ({
    service,
    instance: `${service}-1`,
    kids,
    ageSeconds: 1,
  })
  const auth = verifier('auth', ['next', 'old'])
  t.strictSame(objectToRetirement('old', [auth, verifier('orders', ['old', 'next'])], new Map()), [
    'orders-1 signs with old still',
  ])
  t.strictSame(objectToRetirement('old', [auth], new Map()), [])
})

t.test('nothing is promoted or retired while no auth instance reports', async (t) => {
  const orders = { service: 'orders', instance: 'orders-1', kids: ['next', 'old'], ageSeconds: 1 }
  const silence = ['no auth instance has reported lately']
  for (const verifiers of [[], [orders]]) {
    t.strictSame(objectToPromotion('next', verifiers), silence)
    t.strictSame(objectToRetirement('old', verifiers, new Map()), silence)
  }
})

t.test('a key ID that a list with commas cannot carry is not added', async (t) => {
  for (const kid of ['', 'a,b', 'a b', 'ü', 'a\n', 'x'.repeat(65)]) {
    t.throws(() => addKey({ keys: [] }, kid), /1 to 64 letters, digits, dots/, kid)
  }
  const set = { keys: [] }
  addKey(set, 'x_1.-'.padEnd(64, 'x'))
  t.equal(set.keys.length, 1)
})

t.test('a change keeps the mode of the file, whatever the umask', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-rotation-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const file = join(folder, 'keys.json')
  await keys('generate', '--out', file)
  await chmod(file, 0o640)
  const command = `umask 077; exec '${process.execPath}' '${main}' keys add next --keys '${file}'`
  await promisify(execFile)('sh', ['-c', command])
  t.equal((await stat(file)).mode & 0o777, 0o640)
})

t.test('without an answer from auth nothing is promoted or retired', async (t) => {
  const app = await startAuth(t)
  const file = app.config.LATCHKEY_KEYS_FILE
  await keys('add', 'next', '--keys', file)
  const nowhere = ['--keys', file, '--auth', 'http://127.0.0.1:59999', '--issuer', issuer]
  t.match(await keys('promote', ...nowhere), {
    code: 1,
    stderr: /does not answer \(ECONNREFUSED\)/,
  })
  t.match(await keys('promote', '--keys', file), { code: 1, stderr: /give --auth and --issuer/ })
  const auth = await app.listen({ host: '127.0.0.1', port: 0 })
  const foreign = ['--keys', file, '--auth', auth, '--issuer', 'https://elsewhere.example']
  t.match(await keys('promote', ...foreign), { code: 1, stderr: /answered 401 token_issuer/ })
  t.match(await keys('retire', 'none', ...foreign, '--force'), {
    code: 1,
    stderr: /there is no key none/,
  })
})

t.test(
  'a change is atomic: owner, mode and symlink are kept, nothing half-written is left',
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-rotation-'))
    t.teardown(() => rm(folder, { recursive: true }))
    const real = join(folder, 'real.json')
    const link = join(folder, 'keys.json')
    await keys('generate', '--out', real)
    await symlink('real.json', link)
    const many = await Promise.all([1, 2, 3, 4].map((n) => keys('add', `k${n}`, '--keys', link)))
    const added = many.filter(({ code }) => code === 0).length
    t.ok(added >= 1)
    t.equal((await kidsOf(real)).length, 2 + added, 'none of those that said so was lost')
    for (const { code, stderr } of many)
      if (code !== 0) t.match(stderr, /another change is at work/)
    t.equal((await stat(real)).mode & 0o777, 0o600)
    t.strictSame((await readdir(folder)).sort(), ['keys.json', 'real.json'])
    const there = (await kidsOf(real)).find((kid) => kid.startsWith('k')) ?? ''
    t.match(await keys('add', there, '--keys', link), { stderr: /already/ })
    t.match(await keys('retire', (await kidsOf(real))[0] ?? '', '--keys', link, '--force'), {
      code: 1,
      stderr: /signs; promote another key first/,
    })
    t.match(
      (await keys('list', '--keys', link)).stdout,
      /signs and verifies[\s\S]*latchkey:refresh/,
    )
    const text = await readFile(real, 'utf8')
    await writeFile(real, text.slice(0, 40))
    t.match(await keys('add', '--keys', link), { code: 1 })
    t.equal(await readFile(real, 'utf8'), text.slice(0, 40), 'a broken file is not touched')
  },
)
