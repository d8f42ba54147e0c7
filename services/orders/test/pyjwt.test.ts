import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { findPython } from '@latchkey/test-kit/python'
import t from 'tap'
import { issuer, startOrders } from './start-orders.ts'

/** Encodes claims or decodes a token, and prints the result as JSON. */
const program = `
import base64, json, sys, jwt
ask = json.load(sys.stdin)
secret = base64.b64decode(ask["secret"])
if "claims" in ask:
    token = jwt.encode(ask["claims"], secret, "HS256", {"typ": "at+jwt", "kid": ask["kid"]})
    print(json.dumps({"token": token}))
else:
    try:
        claims = jwt.decode(ask["token"], secret, ["HS256"], audience="orders", issuer=ask["issuer"])
        print(json.dumps({"claims": claims, "header": jwt.get_unverified_header(ask["token"])}))
    except jwt.PyJWTError as err:
        print(json.dumps({"error": type(err).__name__}))
`

const python = findPython('jwt', 'python3-jwt')

t.test('agrees with PyJWT', { skip: python.skip }, async (t) => {
  const { keys, token, url } = await startOrders(t)

  // Not spawnSync: the service runs in this process, which must not block.
  async function askPython(question: object) {
    const secret = keys.secret.toString('base64')
    const child = spawn(python.command, ['-c', program])
    child.stdin.end(JSON.stringify({ secret, kid: keys.kid, issuer, ...question }))
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
    t.equal(stderr, '')
    return JSON.parse(stdout)
  }
  async function whoami(token: string) {
    const headers = { authorization: `Bearer ${token}` }
    const response = await fetch(`${url}/whoami`, { headers })
    return { status: response.status, body: await response.json() }
  }
  function claims(expiresInSeconds: number) {
    const iat = Math.floor(Date.now() / 1_000) - 600
    const exp = iat + 600 + expiresInSeconds
    const scope = 'orders:read'
    return { iss: issuer, sub: 'ada', aud: ['orders'], exp, iat, jti: '1', sid: 's1', scope }
  }

  await t.test('verifies a token that PyJWT encoded', async (t) => {
    const { status, body } = await whoami((await askPython({ claims: claims(300) })).token)
    t.equal(status, 200)
    t.match(body, { sub: 'ada', sid: 's1', scope: 'orders:read', roles: [] })
  })

  await t.test('mints a token that PyJWT decodes', async (t) => {
    const made = token({ subject: 'Bjørn 🫖', roles: ['admin'] })
    t.match(await askPython({ token: made }), {
      claims: { sub: 'Bjørn 🫖', aud: ['orders'], roles: ['admin'] },
      header: { alg: 'HS256', typ: 'at+jwt', kid: keys.kid },
    })
  })

  await t.test('both refuse an expired token, whichever side made it', async (t) => {
    const { token: encoded } = await askPython({ claims: claims(-60) })
    const expired = [token({ expiresInSeconds: -60 }), encoded]
    for (const token of expired) {
      t.strictSame(await askPython({ token }), { error: 'ExpiredSignatureError' })
      t.match(await whoami(token), { status: 401, body: { code: 'token_expired' } })
    }
  })

  await t.test('both refuse a tampered token', async (t) => {
    const tampered = token({ fault: 'tampered' })
    t.strictSame(await askPython({ token: tampered }), { error: 'InvalidSignatureError' })
    t.match(await whoami(tampered), { status: 401, body: { code: 'token_signature' } })
  })
})
