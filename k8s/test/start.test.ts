import t from 'tap'
import { makeSecrets } from './guide.ts'
import { renderOverlay } from './render.ts'
import { preparePod } from './start.ts'

const objects = await renderOverlay('dev')
const secrets = await makeSecrets()
const ring = secrets.get('latchkey-keys')?.['keys.json'] ?? ''
const verifyingRing = secrets.get('latchkey-verifying-keys')?.['keys.json'] ?? ''
const json = { 'content-type': 'application/json' }
const account = JSON.stringify({ email: 'ada@example.com', password: 'correct horse battery' })

t.test(
  'what the manifests and the guide say together is a login that opens both services',
  async (t) => {
    const auth = await preparePod(t, objects, 'auth', ring)
    const orders = await preparePod(t, objects, 'orders', verifyingRing)
    const billing = await preparePod(t, objects, 'billing', verifyingRing)
    for (const pod of [auth, orders, billing]) {
      const { status, output } = pod.migrate()
      t.equal(status, 0, output)
    }

    t.equal(auth.migrate().status, 0, 'a second run finds nothing to do')

    const authServer = await auth.start()
    const atAuth = { LATCHKEY_AUTH_URL: authServer.url }
    const ordersServer = await orders.start(atAuth)
    const billingServer = await billing.start({ ...atAuth, LATCHKEY_ORDERS_URL: ordersServer.url })
    const servers = [authServer, ordersServer, billingServer]
    for (const { url } of servers) {
      t.equal((await fetch(`${url}/livez`)).status, 200)
      t.equal((await fetch(`${url}/readyz`)).status, 200)
    }

    const post = (path: string) =>
      fetch(`${authServer.url}${path}`, { method: 'POST', headers: json, body: account })
    t.equal((await post('/v1/register')).status, 201)
    const { access_token: token } = (await (await post('/v1/login')).json()) as {
      access_token: string
    }
    for (const { url } of [ordersServer, billingServer]) {
      const reply = await fetch(`${url}/whoami`, { headers: { authorization: `Bearer ${token}` } })
      t.equal(reply.status, 200)
    }
    t.strictSame(await Promise.all(servers.map((server) => server.stop())), [0, 0, 0])
  },
)
