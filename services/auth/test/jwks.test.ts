import { createPrivateKey } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createVerifier, openKeyring, type RsaKey } from '@latchkey/verify'
import { createTestKey, mintToken } from '@latchkey/verify/testing'
import { createRemoteJWKSet, jwtVerify, SignJWT } from 'jose'
import t, { type Test } from 'tap'
import {
  createIdTokenJwk,
  createJwkSet,
  createRootJwk,
  createTokenJwk,
  type Jwk,
} from '../src/keys/jwk.ts'
import { issuer, login, register, startAuth } from './support.ts'

const path = '/.well-known/jwks.json'

/** An auth service with a key file of these keys for access tokens, besides those of auth alone. */
async function start(t: Test, ...keys: Jwk[]) {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-jwks-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const file = join(folder, 'keys.json')
  const others = [...createJwkSet('HS256').keys.slice(1, 3), createRootJwk('older-root')]
  const write = (...keys: Jwk[]) =>
    writeFile(file, JSON.stringify({ keys: [...keys, ...others] }), { mode: 0o600 })
  await write(...keys)
  const app = await startAuth(t, { LATCHKEY_KEYS_FILE: file })
  return { app, file, write }
}

const [first, second] = [createTokenJwk('first', 'ES256'), createTokenJwk('second', 'ES256')]
const secret = createTokenJwk('secret', 'HS256')

const [idToken, olderIdToken] = [createIdTokenJwk('id-token'), createIdTokenJwk('older-id-token')]

const published = ({ kid, x, y }: Jwk & { x?: string; y?: string }) => ({
  ...{ kty: 'EC', crv: 'P-256', kid, alg: 'ES256', use: 'sig', x, y },
})

const publishedRsa = ({ kid, n, e }: Jwk & { n?: string; e?: string }) => ({
  ...{ kty: 'RSA', kid, alg: 'RS256', use: 'sig', n, e },
})

t.test('publishes public keys, and nothing else of the file', async (t) => {
  const tokenKeys = [secret, second, { ...first, use: 'sig' }]
  const { app, file } = await start(t, ...tokenKeys, idToken, olderIdToken)
  const reply = await app.inject(path)
  t.equal(reply.statusCode, 200)
  t.equal(reply.headers['content-type'], 'application/jwk-set+json')
  t.equal(reply.headers['cache-control'], 'public, max-age=60')
  t.strictSame(reply.json(), {
    keys: [...[second, first].map(published), ...[idToken, olderIdToken].map(publishedRsa)],
  })
  const { keys } = JSON.parse(await readFile(file, 'utf8')) as { keys: Record<string, string>[] }
  const members = ['k', 'd', 'p', 'q', 'dp', 'dq', 'qi']
  const hidden = keys.flatMap((key) => members.map((member) => key[member] ?? ''))
  const secrets = hidden.filter(Boolean)
  t.equal(secrets.length, 6 + 2 * 6)
  for (const text of secrets) t.notOk(reply.payload.includes(text))
})

t.test('publishes an empty set if tokens are signed with HS256, without ID tokens', async (t) => {
  const { app } = await start(t, secret)
  const reply = await app.inject(path)
  t.equal(reply.statusCode, 200)
  t.equal(reply.payload, '{"keys":[]}')
})

t.test('answers 304 until the key file changes', async (t) => {
  const { app, write } = await start(t, first)
  const { etag } = (await app.inject(path)).headers
  const ask = () => app.inject({ url: path, headers: { 'if-none-match': String(etag) } })
  const unchanged = await ask()
  t.equal(unchanged.statusCode, 304)
  t.equal(unchanged.payload, '')
  t.equal(unchanged.headers.etag, etag)
  t.equal(unchanged.headers['cache-control'], 'public, max-age=60')
  await write(first, second)
  let changed = await ask()
  for (; changed.statusCode === 304; changed = await ask()) await sleep(50)
  t.strictSame(changed.json(), { keys: [published(first), published(second)] })
  t.not(changed.headers.etag, etag)
})

t.test('a verifier without a key file follows a rotation', async (t) => {
  const { app, write } = await start(t, first)
  const jwks = `${await app.listen({ host: '127.0.0.1', port: 0 })}${path}`
  const verifier = createVerifier({ keys: { jwks }, issuer, audience: 'orders' })
  t.teardown(() => verifier.jwks?.close())
  t.ok(await verifier.jwks?.catchUp())
  const email = await register(app)
  const { access_token: old } = await login(app, email)
  t.match(verifier.verify(old), { iss: issuer, aud: ['orders', 'billing', 'latchkey:auth'] })
  await write(second, first)
  while (app.keyring.current.signing.kid !== 'second') await sleep(50)
  const { access_token } = await login(app, email)
  t.match(verifier.check(access_token), { error: { code: 'token_unknown_key' } })
  while (!verifier.check(access_token).ok) await sleep(50)
  t.ok(verifier.check(old).ok)
  const forged = mintToken({ key: createTestKey('second'), issuer, audience: 'orders' })
  t.match(verifier.check(forged), { error: { code: 'token_algorithm' } })
})

t.test('jose verifies with the published keys', async (t) => {
  const { app } = await start(t, first, second)
  const url = new URL(path, await app.listen({ host: '127.0.0.1', port: 0 }))
  const { access_token } = await login(app, await register(app))
  const { payload, protectedHeader } = await jwtVerify(access_token, createRemoteJWKSet(url), {
    issuer,
    audience: 'orders',
    typ: 'at+jwt',
    algorithms: ['ES256'],
  })
  t.equal(payload.iss, issuer)
  t.equal(protectedHeader.kid, 'first')
})

/** Signs the claims of an access token with a key for ID tokens, as an ID token or disguised. */
const signAs = (key: RsaKey, claims: object, header: { typ: string; kid?: string }) =>
  new SignJWT({ ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: key.kid, ...header })
    .sign(createPrivateKey({ key: { ...key.privateJwk }, format: 'jwk' }))

t.test('a token signed with a key for ID tokens is never an access token', async (t) => {
  for (const tokenKey of [first, secret]) {
    const { app, file } = await start(t, tokenKey, idToken)
    const jwks = `${await app.listen({ host: '127.0.0.1', port: 0 })}${path}`
    const { access_token } = await login(app, await register(app))
    const claims = JSON.parse(Buffer.from(access_token.split('.')[1] ?? '', 'base64url').toString())
    const [key] = app.keyring.current.idTokenKeys as [RsaKey]
    const errors: string[] = []
    const onError = ({ message }: Error) => void errors.push(message)
    const byUrl = createVerifier({ keys: { jwks, onError }, issuer, audience: 'orders' })
    t.teardown(() => byUrl.jwks?.close())
    const isPublic = tokenKey === first
    t.equal(await byUrl.jwks?.catchUp(isPublic ? undefined : 500), isPublic)
    const keyring = openKeyring(file)
    t.teardown(() => keyring.close())
    const byFile = createVerifier({ keys: keyring, issuer, audience: 'orders' })
    t.ok(byFile.check(access_token).ok)
    t.equal(byUrl.check(access_token).ok, isPublic)
    for (const typ of ['JWT', 'at+jwt']) {
      const token = await signAs(key, claims, { typ })
      const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(jwks)))
      t.match(payload, claims, 'clients can verify it')
      t.equal(byFile.check(token).ok, false)
      t.equal(byUrl.check(token).ok, false)
      const me = await app.inject({ url: '/v1/me', headers: { authorization: `Bearer ${token}` } })
      t.equal(me.statusCode, 401)
      const disguised = await signAs(key, claims, { typ, kid: tokenKey.kid })
      for (const verifier of [byFile, byUrl]) t.equal(verifier.check(disguised).ok, false)
    }
    const reported = isPublic ? [] : [/no published key verifies access tokens; auth publishes/]
    t.match(errors, reported)
    t.equal(errors.length, reported.length)
    const confused = mintToken({
      key: { kid: key.kid, secret: Buffer.from(key.n, 'base64url') },
      ...{ issuer, audience: 'orders' },
    })
    for (const verifier of [byFile, byUrl]) t.equal(verifier.check(confused).ok, false)
  }
})

t.test('keeps the previous keys when a new key for ID tokens cannot sign', async (t) => {
  const { app, write } = await start(t, first, idToken)
  const { d: _private, ...publicKey } = olderIdToken
  await write(second, publicKey)
  await sleep(1_500)
  t.equal(app.keyring.current.signing.kid, 'first')
  await write(second, olderIdToken, idToken)
  while (app.keyring.current.signing.kid !== 'second') await sleep(50)
  t.match(app.keyring.current.idTokenKeys, [{ kid: 'older-id-token' }, { kid: 'id-token' }])
})
