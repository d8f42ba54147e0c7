import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Service } from '@latchkey/service-kit'
import {
  createRevocationFeed,
  createVerifier,
  limits,
  openKeyring,
  type RevocationFeed,
  signClientAssertion,
} from '@latchkey/verify'
import { type MintOptions, mintToken } from '@latchkey/verify/testing'
import t, { type Test } from 'tap'
import { createServiceSet, deriveServiceSecret, type JwkSet } from '../src/keys/jwk.ts'
import { rememberAssertion } from '../src/verifiers/store.ts'
import {
  assertAs,
  createConfig,
  deriveKey,
  issuer,
  signingSecretOf,
  startAuth,
  startInstance,
} from './support.ts'

const send = async (app: Service, path: string, credential: string) => {
  const reply = await app.inject({
    url: `/v1/${path}`,
    headers: { authorization: `Bearer ${credential}` },
  })
  return [reply.statusCode, reply.statusCode === 200 ? undefined : reply.json().code]
}

t.test('derives the key of a service by HKDF from the root and the name', async (t) => {
  const root = Buffer.alloc(32, 'root')
  const derive = (name: string) => Buffer.from(deriveServiceSecret(root, name)).toString('hex')
  // openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt key:rootrootrootrootrootrootrootroot
  //   -kdfopt 'info:latchkey service key v1/orders' HKDF
  t.equal(derive('orders'), '4ff6b9d4ec110b8366f8cb2e2d8bf6ccf1a7eb0a662e9cad656d210f0e592d5f')
  t.not(derive('orders'), derive('billing'))
})

t.test('binds the name of a service to its key', async (t) => {
  const app = await startAuth(t)
  const [key, other] = [deriveKey(app, 'orders'), deriveKey(app, 'billing')]
  const root = app.keyring.current.roots[0]?.kid
  const sign = (options: Partial<MintOptions> & { claims?: object } = {}) => {
    const iat = Math.floor(Date.now() / 1000)
    return mintToken({
      key,
      issuer: 'orders',
      audience: issuer,
      header: { typ: 'client-authentication+jwt', ...options.header },
      ...options,
      claims: { sub: 'orders', sid: undefined, exp: iat + 60, ...options.claims },
    })
  }
  const now = Math.floor(Date.now() / 1000)
  const shared = { key: signingSecretOf(app), issuer, audience: 'latchkey:auth' }
  const serviceToken = { sub: 'service:orders', scope: 'revocations:read' }
  const kid = (kid: unknown) => ({ typ: 'client-authentication+jwt', kid })
  // biome-ignore format: a table
  const refused: [what: string, assertion: string, code: string][] = [
    ["billing's name in the key ID",    sign({ header: kid(`${root}/billing`) }), 'token_signature'],
    ["the operator's name in the key ID", sign({ header: kid(`${root}/operator`) }), 'token_signature'],
    ["auth's name in the key ID",       sign({ header: kid(`${root}/auth`) }), 'token_signature'],
    ["billing's name as issuer",        sign({ issuer: 'billing' }), 'token_issuer'],
    ["billing's name as subject",       sign({ claims: { sub: 'billing' } }), 'token_claim'],
    ['no subject',                      sign({ claims: { sub: undefined } }), 'token_claim'],
    ["billing's key under orders' ID",  sign({ key: { kid: key.kid, secret: other.secret } }), 'token_signature'],
    ['a root key that does not exist',  sign({ header: kid('none/orders') }), 'token_unknown_key'],
    ['a key ID with two slashes',       sign({ header: kid(`${root}/orders/x`) }), 'token_unknown_key'],
    ['a key ID without a name',         sign({ header: kid(`${root}/`) }), 'token_unknown_key'],
    ['a key ID that is not well-formed', sign({ header: kid(`${root}/\ud800`) }), 'token_unknown_key'],
    ['a key ID that is only a name',    sign({ header: kid('orders') }), 'token_unknown_key'],
    ['a key ID that is no text',        sign({ header: kid(['x']) }), 'token_unknown_key'],
    ['no key ID',                       sign({ header: kid(undefined) }), 'token_unknown_key'],
    ['another audience',                sign({ audience: 'https://elsewhere.example' }), 'token_audience'],
    ['a lifetime of 61 seconds',        sign({ claims: { iat: now, exp: now + 61 } }), 'token_claim'],
    ['expired longer than a clock may differ', sign({ claims: { iat: now - 125, exp: now - 65 } }), 'token_expired'],
    ['no expiry',                       sign({ claims: { exp: undefined } }), 'token_claim'],
    ['no token ID',                     sign({ claims: { jti: undefined } }), 'token_claim'],
    ['an empty token ID',               sign({ claims: { jti: '' } }), 'token_claim'],
    ['a token ID of 101 characters',    sign({ claims: { jti: 'x'.repeat(101) } }), 'token_claim'],
    ['the type of an access token',     sign({ header: { typ: 'at+jwt' } }), 'token_type'],
    ['the type JWT',                    sign({ header: { typ: 'JWT' } }), 'token_type'],
    ['no signature',                    sign({ fault: 'unsigned' }), 'token_algorithm'],
    ['the shared secret under its ID',  mintToken({ ...shared, claims: serviceToken }), 'token_unknown_key'],
    ["the shared secret under orders' ID", sign({ key: { kid: key.kid, secret: shared.key.secret } }), 'token_signature'],
    ['garbage',                         'x', 'token_unknown_key'],
    ['a long token',                    sign({ claims: { x: 'x'.repeat(3_000) } }), 'token_unknown_key'],
  ]
  for (const [what, assertion, code] of refused) {
    t.strictSame(await send(app, 'revocations', assertion), [401, code], what)
  }
  t.strictSame(await send(app, 'revocations', sign()), [200, undefined])
  const behind = { iat: now - 110, exp: now - 50 }
  t.strictSame(await send(app, 'revocations', sign({ claims: behind })), [200, undefined])
})

t.test('admits the operator alone to the status of the keys, each assertion once', async (t) => {
  const app = await startAuth(t)
  const second = await startInstance(t, app.config)
  for (const name of ['orders', 'auth', 'operator-2']) {
    const answer = await send(app, 'keys/status', await assertAs(app, name))
    t.strictSame(answer, [403, 'operator_only'], name)
  }
  const assertion = await assertAs(app, 'operator')
  const racing = await Promise.all(
    Array.from({ length: 20 }, (_, n) => send(n % 2 ? app : second, 'keys/status', assertion)),
  )
  t.equal(racing.filter(([status]) => status === 200).length, 1)
  t.equal(racing.filter(([, code]) => code === 'assertion_used').length, 19)
  t.strictSame(await send(second, 'keys/status', await assertAs(app, 'operator')), [200, undefined])
  // Whatever its owner, an assertion is kept until no verifier accepts it.
  const { rows } = await app.db.query(
    'SELECT expires_at > now() + $1 AS kept FROM used_assertions',
    [`${limits.clientAssertionSeconds + limits.maxClockToleranceSeconds - 20} s`],
  )
  t.strictSame(rows, [{ kept: true }, { kept: true }])
  const use = { client: 'a', jti: 'b', expiresAt: 0 }
  t.ok(await rememberAssertion(app.db, use))
  t.notOk(await rememberAssertion(app.db, use))
  t.ok(await rememberAssertion(app.db, { ...use, client: 'c' }), 'clients do not share their IDs')
})

/** The file of auth without a root key, as in version 0.1, and a feed with the file of orders. */
async function startWithoutRoot(t: Test) {
  const config = await createConfig(t)
  const file = config.LATCHKEY_KEYS_FILE
  const whole: JwkSet = JSON.parse(await readFile(file, 'utf8'))
  const keys = whole.keys.filter(({ use }) => use !== 'latchkey:root')
  await writeFile(file, JSON.stringify({ keys }))
  const app = await startInstance(t, config)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const ordersFile = `${t.testdir()}/orders.json`
  const ordersSet = createServiceSet(whole, 'orders')
  return { app, url, file, whole, ordersFile, ordersSet }
}

function follow(t: Test, url: string, file: string, service = 'orders') {
  const errors: (Error | undefined)[] = []
  const keys = openKeyring(file)
  const feed: RevocationFeed = createRevocationFeed({
    ...{ url, keys, issuer, service, instance: `${service}-1`, pollIntervalMs: 100 },
    onPoll: (error) => errors.push(error),
  })
  t.teardown(() => {
    feed.close()
    keys.close()
  })
  return { feed, errors }
}

/** The key IDs that a service last reported. */
async function untilReported(app: Service, condition: (kids: string[]) => boolean): Promise<void> {
  const kidsOf = async () => {
    const { rows } = await app.db.query(`SELECT kids FROM verifiers WHERE service = 'orders'`)
    return rows[0]?.kids ?? []
  }
  while (!condition(await kidsOf())) await sleep(50)
}

t.test('key files of services and the root key of auth may arrive in any order', async (t) => {
  const { app, url, file, whole, ordersFile, ordersSet } = await startWithoutRoot(t)
  const own = ordersSet.keys.at(-1)?.kid ?? ''
  const old = ordersSet.keys.filter(({ use }) => use === undefined)
  await writeFile(ordersFile, JSON.stringify({ keys: old }))
  const { feed, errors } = follow(t, url, ordersFile)
  await feed.catchUp()
  await untilReported(app, (kids) => kids.length === 1)

  await writeFile(ordersFile, JSON.stringify(ordersSet))
  await sleep(2_000)
  await untilReported(app, (kids) => !kids.includes(own))
  await writeFile(file, JSON.stringify(whole))
  await untilReported(app, (kids) => kids.includes(own))
  t.strictSame([...new Set(errors)], [undefined], 'no poll failed')

  const withoutRoot = whole.keys.filter(({ use }) => use !== 'latchkey:root')
  await writeFile(file, JSON.stringify({ keys: withoutRoot }))
  await sleep(2_000)
  await writeFile(ordersFile, JSON.stringify({ keys: old }))
  while (errors.at(-1) === undefined) await sleep(50)
  t.match(errors.at(-1)?.message, 'the revocation feed answered 401 token_unknown_key')
})

t.test('without a root key nobody is the operator', async (t) => {
  const { app } = await startWithoutRoot(t)
  const claims = { sub: 'service:operator', scope: 'keys:read', client: { name: 'operator' } }
  const shared = { key: signingSecretOf(app), issuer, audience: 'latchkey:auth' }
  const token = mintToken({ ...shared, claims })
  t.strictSame(await send(app, 'keys/status', token), [403, 'operator_only'])
  const forged = { ...claims, sub: 'u', client: { name: 'operator', kid: 'x/operator' } }
  const user = mintToken({ ...shared, claims: forged })
  t.strictSame(await send(app, 'keys/status', user), [403, 'service_only'])
})

t.test('a feed refuses the key file of another service, at start and while running', async (t) => {
  const { url, whole, ordersFile, ordersSet } = await startWithoutRoot(t)
  await writeFile(ordersFile, JSON.stringify(createServiceSet(whole, 'billing')))
  const message =
    /the keys are those of the service billing, not of orders: run latchkey keys export/
  t.throws(() => follow(t, url, ordersFile), { code: 'keyring_other_service', message })
  await writeFile(ordersFile, JSON.stringify(ordersSet))
  const { feed, errors } = follow(t, url, ordersFile)
  await feed.catchUp()
  await writeFile(ordersFile, JSON.stringify(createServiceSet(whole, 'billing')))
  while (errors.at(-1) === undefined) await sleep(50)
  t.match(errors.at(-1), { code: 'keyring_other_service', message })
  const audience = 'https://orders.example.com'
  const settings = { audience, issuer, keys: { file: ordersFile }, revocations: { url } }
  t.throws(() => createVerifier(settings), /not of https:\/\/orders\S+: pass the option service/)
})

t.test('an assertion proves nothing at another issuer', async (t) => {
  const app = await startAuth(t)
  const assertion = await signClientAssertion(deriveKey(app, 'orders'), `${issuer}/`)
  t.strictSame(await send(app, 'revocations', assertion), [401, 'token_audience'])
})
