import { createService } from '@latchkey/service-kit'
import { createVerifier } from '@latchkey/verify'
import argon2 from '@node-rs/argon2'
import t from 'tap'
import {
  as,
  claimsOf,
  countStatements,
  createConfig,
  hasherOf,
  issuer,
  login,
  password,
  post,
  register,
  startAuth,
  startInstance,
} from './support.ts'

t.test('issues both tokens to a registered user', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const reply = await post(app, '/v1/login', { email, password })
  t.equal(reply.statusCode, 200)
  t.equal(reply.headers['cache-control'], 'no-store')
  t.match(reply.json(), {
    access_token: /^ey/,
    token_type: 'Bearer',
    expires_in: 900,
    refresh_token: /^lkr_[\w-]{70}$/,
    scope: 'orders:read orders:write',
  })
})

t.test('issues access tokens under 1 KB with exactly the documented members', async (t) => {
  const app = await startAuth(t)
  const { access_token } = await login(app, await register(app))
  const header = Buffer.from(access_token.split('.')[0] ?? '', 'base64url').toString()
  t.equal(header, `{"alg":"HS256","typ":"at+jwt","kid":"${app.keyring.current.signing.kid}"}`)
  const claims = claimsOf(access_token)
  t.strictSame(
    new Set(Object.keys(claims)),
    new Set(['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'sid', 'scope', 'roles']),
  )
  t.equal(claims.exp - claims.iat, 900)
  t.strictSame(claims.aud, ['orders', 'billing', 'latchkey:auth'])
  t.ok(access_token.length < 1_024, `${access_token.length} characters`)
})

t.test('answers alike to an unknown user, a wrong password and a disabled user', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const disabled = await register(app)
  await app.db.query('UPDATE users SET disabled_at = now() WHERE email = $1', [disabled])
  const replies = await Promise.all([
    post(app, '/v1/login', { email: 'nobody@example.com', password }),
    post(app, '/v1/login', { email, password: 'wrong horse battery' }),
    post(app, '/v1/login', { email: disabled, password }),
  ])
  for (const reply of replies) {
    t.equal(reply.statusCode, 401)
    t.equal(reply.headers['www-authenticate'], 'Bearer realm="latchkey"')
    t.match(reply.json(), { code: 'invalid_credentials', status: 401 })
  }
  const [unknown] = replies.map((reply) => ({ ...reply.json(), request_id: '' }))
  for (const reply of replies) t.strictSame({ ...reply.json(), request_id: '' }, unknown)
})

t.test(
  'computes a hash of the same cost for an unknown user as for a wrong password',
  async (t) => {
    const verified: string[] = []
    const verify: typeof argon2.verify = (hash, ...rest) => {
      verified.push(String(hash))
      return argon2.verify(hash, ...rest)
    }
    const mocks = { '@node-rs/argon2': { ...argon2, verify } }
    const { auth } = await t.mockImport<typeof import('../src/app.ts')>('../src/app.ts', mocks)
    const app = await createService(auth, await createConfig(t))
    t.teardown(() => app.close())
    await post(app, '/v1/login', { email: 'nobody@example.com', password })
    t.equal(verified.length, 1)
    await post(app, '/v1/login', { email: await register(app), password: 'wrong' })
    t.equal(verified.length, 2)
    const [unknown, known] = verified.map((hash) => hash.split('$').slice(0, 4).join('$'))
    t.match(known, /^\$argon2id\$v=19\$m=7168,t=1,p=1$/)
    t.equal(unknown, known)
  },
)

t.test('ignores the case of e-mail addresses', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  t.equal((await post(app, '/v1/login', { email: email.toUpperCase(), password })).statusCode, 200)
  const again = await post(app, '/v1/register', { email: email.toUpperCase(), password })
  t.match(again.json(), { status: 409, code: 'email_taken' })
})

t.test('runs four statements per login, one per refresh, none per verification', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const { access_token, refresh_token } = await login(app, email)
  const statements = countStatements(t, app)
  const count = async (work: () => PromiseLike<{ statusCode: number }>) => {
    statements.count = 0
    const { statusCode } = await work()
    t.ok(statusCode < 300, `answered ${statusCode}`)
    return statements.count
  }
  t.ok((await count(() => post(app, '/v1/login', { email, password }))) <= 4)
  t.equal(await count(() => post(app, '/v1/refresh', { refresh_token })), 1)
  const verifier = createVerifier({ keys: app.keyring, issuer, audience: 'orders' })
  const verify = async () => ({ statusCode: verifier.check(access_token).ok ? 200 : 401 })
  t.equal(await count(verify), 0)
})

t.test('replaces a hash of another cost at the next login, which still works', async (t) => {
  const config = await createConfig(t)
  const cheap = await startInstance(t, config)
  const email = await register(cheap)
  const costly = await startInstance(t, { ...config, LATCHKEY_ARGON2_PASSES: 2 })
  await login(costly, email)
  const { rows } = await costly.db.query('SELECT password_hash FROM users')
  t.match(rows[0].password_hash, /\$m=7168,t=2,p=1\$/)
  await Promise.all([login(costly, email), login(cheap, email)])
})

t.test('refuses a wrong current password without a challenge, and counts it', async (t) => {
  const app = await startAuth(t)
  const { access_token } = await login(app, await register(app))
  const change = { current_password: 'wrong wrong', new_password: 'another battery' }
  const reply = await as(app, access_token, 'POST', '/v1/me/password', change)
  t.match(reply.json(), { status: 403, code: 'invalid_credentials' })
  t.equal(reply.headers['www-authenticate'], undefined)
  const { rows } = await app.db.query('SELECT max(failures) AS failures FROM login_failures')
  t.strictSame(rows, [{ failures: 1 }])
})

t.test('opens no session when the password changes while it is verified', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const hasher = await hasherOf(app)
  const { verify } = hasher
  t.intercept(hasher, 'verify', {
    value: async (hash: string, secret: string) => {
      const matches = await verify(hash, secret)
      await app.db.query('UPDATE users SET password_version = password_version + 1')
      return matches
    },
  })
  const reply = await post(app, '/v1/login', { email, password })
  t.match(reply.json(), { code: 'invalid_credentials' })
})

t.test('accepts a password in whichever Unicode form a keyboard sends it', async (t) => {
  const app = await startAuth(t)
  const [composed, decomposed] = ['caf\u00e9 under a bridge', 'cafe\u0301 under a bridge']
  for (const [email, first, second] of [
    ['one@example.com', composed, decomposed],
    ['two@example.com', decomposed, composed],
  ] as const) {
    await post(app, '/v1/register', { email, password: first })
    const reply = await post(app, '/v1/login', { email, password: second })
    t.equal(reply.statusCode, 200)
    const change = { current_password: first, new_password: `${second} \ufb01` }
    const { access_token } = reply.json()
    t.equal((await as(app, access_token, 'POST', '/v1/me/password', change)).statusCode, 200)
    const ligature = { email, password: `${first} fi` }
    t.equal((await post(app, '/v1/login', ligature)).statusCode, 200)
  }
  const old = { email: 'old@example.com', password: decomposed }
  await post(app, '/v1/register', old)
  const stored = await argon2.hash(decomposed, { memoryCost: 7_168, timeCost: 1, parallelism: 1 })
  await app.db.query('UPDATE users SET password_hash = $1 WHERE email = $2', [stored, old.email])
  t.equal((await post(app, '/v1/login', old)).statusCode, 200, 'a hash from before')
  const short = { email: 'three@example.com', password: 'e\u0301'.repeat(7) }
  t.match((await post(app, '/v1/register', short)).json(), { code: 'invalid_request' })
})

t.test('ignores white space around an e-mail address', async (t) => {
  const app = await startAuth(t)
  const registered = await post(app, '/v1/register', { email: ' ada@example.com\n', password })
  t.match(registered.json(), { email: 'ada@example.com' })
  for (const email of ['ada@example.com ', '\t ada@example.com', 'ada@example.com\u00a0']) {
    t.equal((await post(app, '/v1/login', { email, password })).statusCode, 200)
  }
})

t.test(
  'answers 401 to a hash that is not argon2, after the same work, and warns once',
  async (t) => {
    const app = await startAuth(t)
    const email = await register(app)
    const warnings: unknown[] = []
    t.intercept(app.log, 'warn', { value: (message: unknown) => warnings.push(message) })
    const bcrypt = '$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy'
    for (const hash of [bcrypt, '', 'plain', '$argon2id$v=19$m=7168,t=1,p=1$c2FsdHNhbHQ']) {
      await app.db.query('UPDATE users SET password_hash = $1', [hash])
      const reply = await post(app, '/v1/login', { email, password })
      t.match(reply.json(), { status: 401, code: 'invalid_credentials' }, hash)
    }
    t.match(warnings, [/password hash is not argon2/])
    t.equal(warnings.length, 1)
  },
)

t.test('says in a sentence what is wrong with an e-mail address', async (t) => {
  const app = await startAuth(t)
  for (const email of ['café@example.com', 'not an address', 'İ@example.com']) {
    const { errors } = (await post(app, '/v1/register', { email, password })).json()
    t.match(errors, [{ path: '/body/email', message: /^must be an e-mail address/ }], email)
  }
})
