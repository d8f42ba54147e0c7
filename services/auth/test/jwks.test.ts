import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createVerifier } from '@latchkey/verify'
import { createTestKey, mintToken } from '@latchkey/verify/testing'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import { createJwkSet, createRootJwk, createTokenJwk, type Jwk } from '../src/keys/jwk.ts'
import { issuer, login, register, startAuth } from './support.ts'

const path = '/.well-known/jwks.json'

/** An auth service with a key file of these keys for access tokens, besides those of auth alone. */
async function start(t: Test, ...keys: Jwk[]) {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-jwks-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const file = join(folder, 'keys.json')
  const others = [...createJwkSet('HS256').keys.slice(1), createRootJwk('older-root')]
  const write = (...keys: Jwk[]) =>
    writeFile(file, JSON.stringify({ keys: [...keys, ...others] }), { mode: 0o600 })
  await write(...keys)
  const app = await startAuth(t, { LATCHKEY_KEYS_FILE: file })
  return { app, file, write }
}

const [first, second] = [createTokenJwk('first', 'ES256'), createTokenJwk('second', 'ES256')]
const secret = createTokenJwk('secret', 'HS256')

const published = ({ kid, x, y }: Jwk & { x?: string; y?: string }) => ({
  ...{ kty: 'EC', crv: 'P-256', kid, alg: 'ES256', use: 'sig', x, y },
})

t.test('publishes the public keys of access tokens, and nothing else of the file', async (t) => {
  const { app, file } = await start(t, secret, second, { ...first, use: 'sig' })
  const reply = await app.inject(path)
  t.equal(reply.statusCode, 200)
  t.equal(reply.headers['content-type'], 'application/jwk-set+json')
  t.equal(reply.headers['cache-control'], 'public, max-age=60')
  t.strictSame(reply.json(), { keys: [published(second), published(first)] })
  const { keys } = JSON.parse(await readFile(file, 'utf8')) as { keys: Jwk[] }
  const hidden = keys.flatMap(({ k, d }) => [k, d]).filter((text) => text !== undefined)
  t.equal(hidden.length, 6)
  for (const text of hidden) t.notOk(reply.payload.includes(text))
})

t.test('publishes an empty set if tokens are signed with HS256', async (t) => {
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
