import { setTimeout as sleep } from 'node:timers/promises'
import { startEmbeddedPostgres } from '@latchkey/embedded-postgres'
import { Client } from 'pg'
import t, { type Test } from 'tap'
import { writeKeyFile } from '../src/index.ts'
import { startService } from '../src/service.ts'

const isSupported = process.platform === 'linux' && process.arch === 'x64'
const skip = isSupported ? false : 'no embedded PostgreSQL 14 for this platform'

/** Starts the services on a PostgreSQL 14 server, each with its own database. */
async function startServices(t: Test) {
  const server = await startEmbeddedPostgres(50, { release: 14 })
  t.teardown(server.stop)
  const { file, exportFor } = writeKeyFile(t)
  const admin = new Client({ connectionString: server.url })
  await admin.connect()
  const start = async (name: string, env: NodeJS.ProcessEnv) => {
    await admin.query(`CREATE DATABASE ${name}`)
    const service = await startService(name, {
      LATCHKEY_ISSUER: 'https://sso.test',
      LATCHKEY_KEYS_FILE: name === 'auth' ? file : exportFor(name),
      LATCHKEY_DATABASE_URL: new URL(`/${name}`, server.url).href,
      ...env,
    })
    t.teardown(service.stop)
    return service.url
  }
  const auth = await start('auth', {
    LATCHKEY_AUDIENCES: 'orders billing',
    LATCHKEY_DEFAULT_SCOPE: 'orders:read orders:write invoices:read invoices:write',
  })
  const orders = await start('orders', { LATCHKEY_AUTH_URL: auth })
  const LATCHKEY_ORDERS_URL = orders
  const billing = await start('billing', { LATCHKEY_AUTH_URL: auth, LATCHKEY_ORDERS_URL })
  await admin.end()
  return { auth, orders, billing }
}

/** Sends a request, expects its status, and returns the body. */
async function call(t: Test, status: number, url: string, { token, body }: Outgoing = {}) {
  const response = await fetch(url, {
    method: body ? 'POST' : 'GET',
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  t.equal(response.status, status, `${url}: ${text}`)
  return text === '' ? {} : JSON.parse(text)
}

interface Outgoing {
  token?: string
  body?: object
}

t.test('the services work on PostgreSQL 14, the oldest supported release', { skip }, async (t) => {
  const { auth, orders, billing } = await startServices(t)
  const person = { email: 'ada@example.com', password: 'correct horse battery' }
  await call(t, 201, `${auth}/v1/register`, { body: person })
  const { refresh_token } = await call(t, 200, `${auth}/v1/login`, { body: person })
  const { access_token: token } = await call(t, 200, `${auth}/v1/refresh`, {
    body: { refresh_token },
  })
  const order = { item: 'Tea', quantity: 2, unit_price_cents: 450 }
  const { id } = await call(t, 201, `${orders}/v1/orders`, { token, body: order })
  await call(t, 201, `${billing}/v1/invoices`, { token, body: { order_id: id } })
  for (const url of [`${orders}/v1/orders`, `${billing}/v1/invoices`, `${auth}/v1/me`]) {
    await call(t, 200, url, { token })
  }
  await call(t, 200, `${auth}/v1/sessions`, { token })
  const loggedOut = await fetch(`${auth}/v1/logout`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  })
  t.equal(loggedOut.status, 204)
  // The feed tells both services.
  for (const url of [`${orders}/whoami`, `${billing}/whoami`]) {
    let status = 200
    const headers = { authorization: `Bearer ${token}` }
    while (status === 200) {
      await sleep(50)
      status = (await fetch(url, { headers })).status
    }
    t.equal(status, 401)
  }
  for (const url of [auth, orders, billing]) await call(t, 200, `${url}/readyz`)
})
