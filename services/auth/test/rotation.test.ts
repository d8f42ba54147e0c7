import { execFile } from 'node:child_process'
import { chmod, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Service } from '@latchkey/service-kit'
import t, { type Test } from 'tap'
import { createTokenJwk, type Jwk, type JwkSet } from '../src/keys/jwk.ts'
import {
  addKey,
  findPromotionBlockers,
  findRetirementBlockers,
  promoteKey,
} from '../src/keys/rotation.ts'
import { latchkey, type Run } from './command.ts'
import { as, issuer, login, refresh, register, startAuth, type Tokens } from './support.ts'

const [old, next] = ['old', 'next'].map((kid) => createTokenJwk(kid, 'HS256')) as [Jwk, Jwk]

const keys = (...args: string[]): Promise<Run> => latchkey('keys', ...args)

const kidsOf = async (file: string): Promise<string[]> =>
  JSON.parse(await readFile(file, 'utf8')).keys.map(({ kid }: { kid: string }) => kid)

/** A listening auth service, its key file, and the options by which `latchkey keys` reaches it. */
async function startListening(t: Test) {
  const app = await startAuth(t)
  const auth = await app.listen({ host: '127.0.0.1', port: 0 })
  const file = app.config.LATCHKEY_KEYS_FILE
  return { app, file, options: ['--keys', file, '--auth', auth, '--issuer', issuer] }
}

/** Waits until the heartbeat has reported a keyring that begins with, or contains, a key. */
async function untilReported(app: Service, condition: 'signs' | 'verifies', kid: string) {
  const has = condition === 'signs' ? 'kids[1] = $1' : '$1 = ANY (kids)'
  while ((await app.db.query(`SELECT FROM verifiers WHERE ${has}`, [kid])).rowCount === 0) {
    await sleep(50)
  }
}

t.test('rotates a key while the service runs, and refuses no live token', async (t) => {
  const { app, file, options } = await startListening(t)
  const old = app.keyring.current.signing.kid
  const { access_token, refresh_token } = await login(app, await register(app))

  t.match(await keys('add', 'next', '--keys', file), { code: 0, stdout: /Added next/ })
  let promoted = await keys('promote', ...options)
  while (promoted.code === 1) {
    t.match(promoted.stderr, /auth-1 \(seen \d+ s ago\) does not have next yet/)
    await sleep(500)
    promoted = await keys('promote', ...options)
  }
  t.match(promoted, { code: 0, stdout: /next signs after the next reload/ })
  t.match((await keys('status', ...options)).stdout, /auth-1 +auth +.*next/)
  const tooEarly = await keys('retire', old, ...options)
  t.equal(tooEarly.code, 1)
  t.match(tooEarly.stderr, /auth-1 still signs with|tokens signed with \S+ may be valid for \d+ s/)
  t.strictSame((await kidsOf(file)).slice(0, 2), ['next', old])

  await untilReported(app, 'signs', 'next')
  const again = await keys('promote', ...options)
  t.equal(again.code, 1)
  t.match(again.stderr, `${old} has signed before; pass its key ID`)
  const forced = await keys('promote', ...options, '--force')
  t.match(forced, { code: 1, stderr: /--force requires a key ID/ })
  t.equal((await kidsOf(file))[0], 'next', 'promoting twice does not bring back the old key')
  const after = (await refresh(app, refresh_token)).json<Tokens>()
  const header = Buffer.from(after.access_token.split('.')[0] ?? '', 'base64url').toString()
  t.equal(JSON.parse(header).kid, 'next')
  const me = await as(app, access_token, 'GET', '/v1/me')
  t.equal(me.statusCode, 200, 'accepts tokens of the old key until they expire')

  // As if the lifetime had passed; the drill `rotation` waits for it.
  await app.db.query('UPDATE signing_keys SET live_until = now() WHERE kid = $1', [old])
  t.match(await keys('retire', old, ...options), { code: 0, stdout: /Retired/ })
  t.notOk((await kidsOf(file)).includes(old))
  t.equal((await refresh(app, after.refresh_token)).statusCode, 200, 'sessions outlive the keys')
})

t.test('refuses to promote a key that a verifier lacks, and names the verifier', async (t) => {
  const { app, file, options } = await startListening(t)
  await keys('add', 'next', '--keys', file)
  await untilReported(app, 'verifies', 'next')
  await app.db.query(
    `INSERT INTO verifiers VALUES ('orders-2', 'orders', '{old}', now()), ('stopped', 'orders', '{old}', now() - interval '2 min')`,
  )
  const refused = await keys('promote', 'next', ...options)
  t.equal(refused.code, 1)
  t.match(refused.stderr, /orders-2 \(seen \d+ s ago\) does not have next yet and would refuse/)
  t.notMatch(refused.stderr, /stopped/)
  t.not((await kidsOf(file))[0], 'next')
  const forced = await keys('promote', 'next', ...options, '--force')
  t.equal(forced.code, 0)
  t.match(forced.stderr, /Forced despite:[\s\S]*orders-2/)
  t.equal((await kidsOf(file))[0], 'next')
})

t.test('refuses to retire a key that a service still signs its polls with', async (t) => {
  const verifier = (service: string, kids: string[]) => ({
    service,
    instance: `${service}-1`,
    kids,
    ageSeconds: 1,
    clockAheadSeconds: null,
  })
  const auth = verifier('auth', ['next', 'old'])
  const orders = verifier('orders', ['old', 'next'])
  const find = (verifiers: (typeof auth)[]) =>
    findRetirementBlockers(old, { set: { keys: [next, old] }, verifiers, live: new Map() })
  t.strictSame(find([auth, orders]), ['orders-1 still signs with old'])
  t.strictSame(find([auth]), [])
})

t.test('refuses to promote or retire while no auth instance reports', async (t) => {
  const seen = { ageSeconds: 1, clockAheadSeconds: null }
  const orders = { service: 'orders', instance: 'orders-1', kids: ['next', 'old'], ...seen }
  const blockers = ['no auth instance has reported in the last minute']
  for (const verifiers of [[], [orders]]) {
    t.strictSame(findPromotionBlockers(next, verifiers), blockers)
    const fleet = { set: { keys: [next, old] }, verifiers, live: new Map() }
    t.strictSame(findRetirementBlockers(old, fleet), blockers)
  }
})

t.test('refuses a key ID that does not fit into a comma-separated list', async (t) => {
  for (const kid of ['', 'a,b', 'a b', 'ü', 'a\n', 'x'.repeat(65)]) {
    t.throws(() => addKey({ keys: [] }, kid, 'HS256'), /1 to 64 letters, digits, dots/, kid)
  }
  const set = { keys: [] }
  addKey(set, 'x_1.-'.padEnd(64, 'x'), 'HS256')
  t.equal(set.keys.length, 1)
})

t.test('refuses to promote or retire without an answer from auth', async (t) => {
  const { file, options } = await startListening(t)
  await keys('add', 'next', '--keys', file)
  const nowhere = ['--keys', file, '--auth', 'http://127.0.0.1:59999', '--issuer', issuer]
  const refused = /does not answer \(ECONNREFUSED\)/
  t.match(await keys('promote', ...nowhere), { code: 1, stderr: refused })
  const unasked = await keys('promote', '--keys', file)
  t.match(unasked, { code: 1, stderr: /--auth and --issuer are required/ })
  const foreign = [...options.slice(0, -1), 'https://elsewhere.example']
  t.match(await keys('promote', ...foreign), { code: 1, stderr: /answered 401 token_audience/ })
  const unknown = await keys('retire', 'none', ...foreign, '--force')
  t.match(unknown, { code: 1, stderr: /there is no key none/ })
})

t.test('a change keeps the mode of the file, whatever the umask', async (t) => {
  const file = join(t.testdir(), 'keys.json')
  await keys('generate', '--out', file)
  await chmod(file, 0o640)
  const main = new URL('../src/cli/main.ts', import.meta.url).pathname
  const command = `umask 077; exec '${process.execPath}' '${main}' keys add next --keys '${file}'`
  await promisify(execFile)('sh', ['-c', command])
  t.equal((await stat(file)).mode & 0o777, 0o640)
})

t.test('a change is atomic, excludes others, and follows a symbolic link', async (t) => {
  const folder = t.testdir()
  const real = join(folder, 'real.json')
  const link = join(folder, 'keys.json')
  await keys('generate', '--out', real)
  await symlink('real.json', link)
  const runs = await Promise.all([1, 2, 3, 4].map((n) => keys('add', `k${n}`, '--keys', link)))
  const refused = runs.filter(({ code }) => code !== 0)
  t.ok(refused.length < 4)
  t.equal((await kidsOf(real)).length, 4 + 4 - refused.length, 'no reported change is lost')
  for (const { stderr } of refused) t.match(stderr, /another change is in progress/)
  t.equal((await stat(real)).mode & 0o777, 0o600)
  t.strictSame((await readdir(folder)).sort(), ['keys.json', 'real.json'])
  const added = (await kidsOf(real)).find((kid) => kid.startsWith('k')) ?? ''
  t.match(await keys('add', added, '--keys', link), { stderr: /already exists/ })
  const retired = await keys('retire', (await kidsOf(real))[0] ?? '', '--keys', link, '--force')
  t.match(retired, { code: 1, stderr: /is the signing key; promote another key first/ })
  const list = (await keys('list', '--keys', link)).stdout
  t.match(list, /signs and verifies[\s\S]*latchkey:refresh/)
  const broken = (await readFile(real, 'utf8')).slice(0, 40)
  await writeFile(real, broken)
  t.match(await keys('add', '--keys', link), { code: 1 })
  t.equal(await readFile(real, 'utf8'), broken, 'a broken file is not changed')
})

t.test('reports the key that signs, also if the first one of a new file cannot', async (t) => {
  const { app, file, options } = await startListening(t)
  const old = app.keyring.current.signing.kid
  const user = await register(app)
  const set: JwkSet = JSON.parse(await readFile(file, 'utf8'))
  const { d: _private, ...publicKey } = createTokenJwk('next', 'ES256')
  await writeFile(file, JSON.stringify({ keys: [publicKey, ...set.keys] }))
  await untilReported(app, 'verifies', 'next')
  const [header = ''] = (await login(app, user)).access_token.split('.')
  t.equal(JSON.parse(Buffer.from(header, 'base64url').toString()).kid, old)
  await app.db.query('UPDATE signing_keys SET live_until = now()')
  t.match(await keys('retire', old, ...options), {
    code: 1,
    stderr: `auth-1 still signs with ${old}`,
  })
  const { rows } = await app.db.query(`SELECT FROM signing_keys WHERE kid = 'next'`)
  t.strictSame(rows, [], 'a key that never signed is not live')
})

t.test('rotates the key of ID tokens while the service runs, on auth alone', async (t) => {
  const { app, file, options } = await startListening(t)
  const [first] = app.keyring.current.idTokenKeys
  const old = first?.kid ?? ''
  const publishedKids = async () => {
    const { keys } = (await app.inject('/.well-known/jwks.json')).json<JwkSet>()
    return keys.map(({ kid }) => kid)
  }
  t.strictSame(await publishedKids(), [old])
  t.match(await keys('list', '--keys', file), {
    stdout: new RegExp(`${old} +RS256 +signs ID tokens`),
  })
  // Has the keys for access tokens, as another service does, and no key for ID tokens.
  await app.db.query(`INSERT INTO verifiers VALUES ('orders-1', 'orders', $1, now())`, [
    app.keyring.current.keys.map(({ kid }) => kid),
  ])
  const both = await keys('add', '--id-token', '--root', '--keys', file)
  t.match(both, { code: 1, stderr: /--id-token.*cannot be used with.*--root/ })
  const added = await keys('add', 'next', '--id-token', '--keys', file)
  t.match(added, { code: 0, stdout: /signs no ID token with it yet.*wait two minutes/ })
  t.match(added.stdout, `latchkey keys promote next`)
  let promoted = await keys('promote', 'next', ...options)
  while (promoted.code === 1) {
    t.match(
      promoted.stderr,
      /auth-1 \(seen \d+ s ago\) does not have next yet and would not publish it/,
    )
    await sleep(200)
    promoted = await keys('promote', 'next', ...options)
  }
  t.match(promoted, { code: 0, stdout: `After a minute, run: latchkey keys retire ${old}` })
  t.match(await keys('retire', 'next', '--force', '--keys', file), {
    code: 1,
    stderr: /next is the signing key; promote another key first/,
  })
  let retired = await keys('retire', old, ...options)
  while (retired.code === 1) {
    t.match(retired.stderr, `auth-1 still signs ID tokens with ${old}`)
    await sleep(200)
    retired = await keys('retire', old, ...options)
  }
  t.match(retired, { code: 0, stdout: /Every auth instance needs/ })
  while ((await publishedKids()).includes(old)) await sleep(50)
  t.strictSame(await publishedKids(), ['next'])
  t.equal(app.keyring.current.idTokenKeys[0]?.kid, 'next')
})

t.test('a key file without a key for ID tokens gets one, which signs', async (t) => {
  const file = join(t.testdir(), 'keys.json')
  await keys('generate', '--out', file)
  const set: JwkSet = JSON.parse(await readFile(file, 'utf8'))
  const others = set.keys.filter(({ use }) => use !== 'latchkey:id-token')
  await writeFile(file, JSON.stringify({ keys: others }))
  const added = await keys('add', '--id-token', '--keys', file)
  t.match(added, { code: 0, stdout: /-id-token\. It signs ID tokens after the next reload/ })
  t.match((await keys('list', '--keys', file)).stdout, /-id-token +RS256 +signs ID tokens/)
})

t.test('refuses to promote a key with which auth could not sign', async (t) => {
  const { d: _private, ...publicKey } = createTokenJwk('next', 'ES256')
  const set = { keys: [old, publicKey] }
  t.throws(() => promoteKey(set, 'next'), /next has no private part, so auth could not sign/)
  t.equal(set.keys[0], old)
})
