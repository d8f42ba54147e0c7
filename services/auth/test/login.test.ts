import t from 'tap'
import {
  claimsOf,
  createConfig,
  login,
  password,
  post,
  register,
  startAuth,
  startInstance,
} from './support.ts'

t.test('a registered user logs in and gets both tokens', async (t) => {
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

t.test(
  'the access token has exactly the header and the claims of the design, and is under 1 KB',
  async (t) => {
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
  },
)

t.test('an unknown user, a wrong password and a disabled user get the same answer', async (t) => {
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
    t.equal(reply.headers['www-authenticate'], 'Bearer')
    t.match(reply.json(), { code: 'invalid_credentials', status: 401 })
  }
  const [unknown] = replies.map((reply) => ({ ...reply.json(), request_id: '' }))
  for (const reply of replies) t.strictSame({ ...reply.json(), request_id: '' }, unknown)
})

t.test('an unknown user costs a hash, as a wrong password does', async (t) => {
  const app = await startAuth(t)
  const verify = app.passwords.verify
  const asked: (string | undefined)[] = []
  t.intercept(app.passwords, 'verify', {
    value: (hash: string | undefined, secret: string) => {
      asked.push(hash)
      return verify(hash, secret)
    },
  })
  await post(app, '/v1/login', { email: 'nobody@example.com', password })
  t.strictSame(asked, [undefined])
  // With an expensive hash the time is the hash: no hash would be a hundred times quicker.
  const { createPasswordHasher } = await import('../src/passwords/hasher.ts')
  const hasher = await createPasswordHasher({ memoryKib: 65_536, passes: 3 })
  const known = await hasher.hash(password)
  const time = async (hash: string | undefined) => {
    const start = performance.now()
    await hasher.verify(hash, 'wrong')
    return performance.now() - start
  }
  t.ok((await time(undefined)) > (await time(known)) / 5, 'hashed for nobody too')
})

t.test('e-mail addresses are the same in any case', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  t.equal((await post(app, '/v1/login', { email: email.toUpperCase(), password })).statusCode, 200)
  const again = await post(app, '/v1/register', { email: email.toUpperCase(), password })
  t.match(again.json(), { status: 409, code: 'email_taken' })
})

t.test('login is at most three statements, refresh one, verification none', async (t) => {
  const app = await startAuth(t)
  const { access_token, refresh_token } = await login(app, await register(app))
  let statements = 0
  const query = app.db.query.bind(app.db)
  t.intercept(app.db, 'query', {
    value: (...args: Parameters<typeof query>) => {
      statements += 1
      return query(...args)
    },
  })
  const count = async (work: () => PromiseLike<{ statusCode: number }>) => {
    statements = 0
    const { statusCode } = await work()
    t.ok(statusCode < 300, `answered ${statusCode}`)
    return statements
  }
  const email = (await query('SELECT email FROM users')).rows[0].email
  t.ok((await count(() => post(app, '/v1/login', { email, password }))) <= 3)
  t.equal(await count(() => post(app, '/v1/refresh', { refresh_token })), 1)
  app.log.level = 'silent'
  const verified = await count(async () => {
    const { createVerifier } = await import('@latchkey/verify')
    const options = { keys: app.keyring, issuer: 'https://sso.example.com', audience: 'orders' }
    return { statusCode: createVerifier(options).check(access_token).ok ? 200 : 401 }
  })
  t.equal(verified, 0)
})

t.test(
  'a hash made with other parameters is replaced at the next login, which still works',
  async (t) => {
    const config = await createConfig(t)
    const cheap = await startInstance(t, config)
    const email = await register(cheap)
    const dearer = await startInstance(t, { ...config, LATCHKEY_ARGON2_PASSES: 2 })
    await login(dearer, email)
    const { rows } = await dearer.db.query('SELECT password_hash FROM users')
    t.match(rows[0].password_hash, /\$m=7168,t=2,p=1\$/)
    await Promise.all([login(dearer, email), login(cheap, email)])
  },
)

t.test('a wrong current password is refused without a challenge to the token', async (t) => {
  const app = await startAuth(t)
  const { access_token } = await login(app, await register(app))
  const reply = await app.inject({
    method: 'POST',
    url: '/v1/me/password',
    headers: { authorization: `Bearer ${access_token}` },
    payload: { current_password: 'wrong wrong', new_password: 'another battery' },
  })
  t.match(reply.json(), { status: 403, code: 'invalid_credentials' })
  t.equal(reply.headers['www-authenticate'], undefined)
  const { rows } = await app.db.query('SELECT max(failures) AS failures FROM login_failures')
  t.strictSame(rows, [{ failures: 1 }], 'and counts as a guess')
})

t.test('a password that was changed while it was being checked opens no session', async (t) => {
  const app = await startAuth(t)
  const email = await register(app)
  const verify = app.passwords.verify
  t.intercept(app.passwords, 'verify', {
    value: async (hash: string, secret: string) => {
      const matches = await verify(hash, secret)
      await app.db.query('UPDATE users SET password_version = password_version + 1')
      return matches
    },
  })
  t.match((await post(app, '/v1/login', { email, password })).json(), {
    code: 'invalid_credentials',
  })
})
