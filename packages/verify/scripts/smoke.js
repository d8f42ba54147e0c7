// Uses every entry point of the installed package. Plain JavaScript, for Nodes that strip no types.
import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { createVerifier, TokenError } from '@latchkey/verify'
import { latchkey as express, requires } from '@latchkey/verify/express'
import latchkey from '@latchkey/verify/fastify'
import { createVerifier as createFetchVerifier } from '@latchkey/verify/fetch'
import { createTestKey, mintToken } from '@latchkey/verify/testing'
import createExpress from 'express'
import Fastify from 'fastify'

const issuer = 'https://sso.example'
const audience = 'orders'
const key = createTestKey()
const options = { keys: [key], issuer, audience }
const token = mintToken({ key, issuer, audience, scopes: ['orders:read'] })
const headers = { authorization: `Bearer ${token}` }

for (const length of [32, 64, 65, 200]) {
  const secret = randomBytes(length)
  const given = mintToken({ key: secret, issuer, audience })
  const input = given.slice(0, given.lastIndexOf('.'))
  assert.equal(given, `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`)
  assert.equal(createVerifier({ keys: secret, issuer, audience }).verify(given).iss, issuer)
}

const verifier = createVerifier(options)
for (let i = 0; i < 10_000; i++) assert.equal(verifier.verify(token).sub, 'user-1')
assert.throws(() => verifier.verify(`${token}x`), TokenError)
for (const claims of [{ name: 'Žofie 🔑' }, { 'a"b': ':\\"' }, { x: [{ y: null }] }]) {
  const given = mintToken({ key, issuer, audience, claims })
  const expected = JSON.parse(Buffer.from(given.split('.')[1], 'base64url').toString())
  assert.deepEqual(verifier.verify(given), expected)
}
for (const fault of ['foreign', 'tampered', 'unsigned']) {
  assert.equal(verifier.check(mintToken({ key, issuer, audience, fault })).ok, false)
}

const web = createFetchVerifier(options)
const request = new Request('http://localhost/', { headers })
assert.equal((await web.authenticate(request, { scopes: ['orders:read'] })).ok, true)
const refused = await web.authenticate(new Request('http://localhost/'))
assert.equal(refused.response.status, 401)

const app = Fastify()
await app.register(latchkey, { verifier })
app.get('/', async (request) => request.user.sub)
assert.equal((await app.inject({ url: '/', headers })).body, 'user-1')
assert.equal((await app.inject('/')).headers['www-authenticate'], 'Bearer realm="latchkey"')
await app.close()

const server = createServer(
  createExpress()
    .use(express({ verifier }))
    .get('/', requires({ scopes: ['orders:read'] }), (req, res) => res.send(req.auth.sub))
    .get('/write', requires({ scopes: ['orders:write'] }), (_req, res) => res.send('written')),
).listen(0, '127.0.0.1')
await new Promise((resolve) => server.once('listening', resolve))
const url = `http://127.0.0.1:${server.address().port}`
assert.equal(await (await fetch(url, { headers })).text(), 'user-1')
assert.equal((await fetch(`${url}/write`, { headers })).status, 403)
assert.equal((await fetch(url)).status, 401)
server.close()
server.closeAllConnections()

console.log(`Node ${process.version}: every entry point works`)
