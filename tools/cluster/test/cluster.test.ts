import { readdir, readFile, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { createTransport } from 'nodemailer'
import { Client } from 'pg'
import t from 'tap'
import { startCluster } from '../src/cluster.ts'
import { familyOf } from '../src/processes/process-table.ts'
import { allEnd, keepAsking, runMain } from './helpers.ts'

const events: string[] = []
const mails: string[] = []
const cluster = await startCluster({
  port: 0,
  instances: 2,
  ephemeral: true,
  onEvent: (sentence) => events.push(sentence),
  onMail: (line) => mails.push(line),
})
t.teardown(() => cluster.stop())

const { url, demoUser } = cluster
const json = { 'content-type': 'application/json' }
const post = (path: string, body: unknown, headers = {}) =>
  fetch(url + path, {
    method: 'POST',
    headers: { ...json, ...headers },
    body: JSON.stringify(body),
  })
const login = () => post('/auth/v1/login', demoUser)
const servedBy = (response: Response) => response.headers.get('x-served-by')

async function tokens() {
  const response = await login()
  t.equal(response.status, 200)
  return (await response.json()) as { access_token: string; refresh_token: string }
}

async function whoami(service: string, token: string) {
  const headers = { authorization: `Bearer ${token}` }
  return fetch(`${url}/${service}/whoami`, { headers })
}

t.test('one login works at every instance of every service, in strict turn', async (t) => {
  const { access_token } = await tokens()
  for (const service of ['orders', 'billing']) {
    const names: (string | null)[] = []
    for (let call = 0; call < 6; call++) {
      const response = await whoami(service, access_token)
      t.equal(response.status, 200)
      t.equal(((await response.json()) as { servedBy: string }).servedBy, servedBy(response))
      names.push(servedBy(response))
    }
    t.equal(new Set(names).size, 2)
    t.strictSame(names.slice(0, 2), names.slice(2, 4), 'in strict turn')
  }
})

t.test('one auth instance refreshes a session that another opened', async (t) => {
  const first = await login()
  const seenAt = new Set([servedBy(first)])
  let { refresh_token } = (await first.json()) as { refresh_token: string }
  for (let call = 0; call < 3; call++) {
    const response = await post('/auth/v1/refresh', { refresh_token })
    t.equal(response.status, 200)
    seenAt.add(servedBy(response))
    refresh_token = ((await response.json()) as { refresh_token: string }).refresh_token
  }
  t.strictSame(seenAt, new Set(['auth-1', 'auth-2']))
})

t.test('billing invoices an order, which it reads with the caller’s token', async (t) => {
  const { access_token } = await tokens()
  const headers = { authorization: `Bearer ${access_token}` }
  const placed = await post(
    '/orders/v1/orders',
    { item: 'a key', quantity: 2, unit_price_cents: 350 },
    headers,
  )
  t.equal(placed.status, 201)
  const { id } = (await placed.json()) as { id: string }
  const invoiced = await post('/billing/v1/invoices', { order_id: id }, headers)
  t.equal(invoiced.status, 201)
  t.match(await invoiced.json(), { order_id: id, amount_cents: 700 })
})

t.test('only auth gets its keys; another service gets its own', async (t) => {
  for (const name of cluster.instances.map((instance) => instance.name)) {
    const environment = await readFile(`/proc/${cluster.pid(name)}/environ`, 'utf8')
    const [, file = ''] = /LATCHKEY_KEYS_FILE=([^\0]*)/.exec(environment) ?? []
    const uses = (await readFile(file, 'utf8')).match(/(?<="use": "latchkey:)[\w-]+/g)
    const ofAuth = ['refresh', 'root', 'id-token']
    t.strictSame(uses, name.startsWith('auth-') ? ofAuth : ['service'], name)
  }
})

t.test('auth gets a mail server that delivers to the cluster; no other service does', async (t) => {
  const settingsOf = async (name: string) => {
    const environment = await readFile(`/proc/${cluster.pid(name)}/environ`, 'utf8')
    return Object.fromEntries(environment.split('\0').map((entry) => entry.split(/=(.*)/s)))
  }
  const { LATCHKEY_SMTP_URL: smtpUrl, LATCHKEY_REGISTRATION } = await settingsOf('auth-2')
  t.equal(LATCHKEY_REGISTRATION, 'open')
  t.notOk('LATCHKEY_SMTP_URL' in (await settingsOf('orders-1')))
  const mail = { from: 'a@example.com', to: 'ada@example.com', text: 'Code 12345678' }
  await createTransport(smtpUrl).sendMail(mail)
  t.strictSame(mails, ['mail to ada@example.com: code 12345678'])
  t.match(await readdir(cluster.mailFolder), [/-ada@example\.com\.eml$/])
})

t.test('only the owner can read secrets; a role can connect only to its database', async (t) => {
  for (const file of [
    cluster.keysFile,
    `${cluster.serviceKeys}/orders/keys.json`,
    `${cluster.dataFolder}/secrets.json`,
  ]) {
    t.equal((await stat(file)).mode & 0o777, 0o600)
  }
  const own = new Client({ connectionString: cluster.databaseUrls.orders })
  await own.connect()
  await own.end()
  const foreign = new URL(cluster.databaseUrls.orders)
  foreign.pathname = '/latchkey_auth'
  await t.rejects(new Client({ connectionString: foreign.href }).connect(), { code: '42501' })
})

t.test('refuses a body of 10 MB with a code, at every service', async (t) => {
  for (const path of ['/auth/v1/login', '/orders/v1/orders']) {
    const response = await post(path, { email: 'x'.repeat(10_000_000) })
    t.equal(response.status, 413)
    t.match(await response.json(), { code: 'body_too_large' })
  }
})

t.test('refuses a second start on the same data folder in one sentence', async (t) => {
  const second = runMain(t, '--data-folder', cluster.dataFolder)
  t.equal(await second.exited, 1)
  t.match(
    second.output(),
    new RegExp(`already running on this data folder \\(process ${process.pid}\\)`),
  )
  t.notMatch(second.output(), /\n +at /)
})

t.test('names a busy port in one sentence', async (t) => {
  const { port } = new URL(url)
  const server = process.env.LATCHKEY_TEST_DATABASE_URL ?? ''
  const second = runMain(t, '--port', port, '--ephemeral', '--database-url', server)
  t.equal(await second.exited, 1)
  t.match(second.output(), `Port ${port} is in use by another program`)
  t.notMatch(second.output(), /\n +at /)
})

t.test('no GET fails when an instance is killed under a steady load', async (t) => {
  const { access_token } = await tokens()
  const stops = Array.from({ length: 4 }, () => keepAsking(() => whoami('orders', access_token)))
  await new Promise((resolve) => setTimeout(resolve, 300))
  cluster.kill('orders-1')
  await until(() => events.some((event) => event.startsWith('orders-1 was killed (SIGKILL)')))
  await new Promise((resolve) => setTimeout(resolve, 300))
  const answers = await Promise.all(stops.map((stop) => stop()))
  t.strictSame(new Set(answers.flatMap(Object.keys)), new Set(['200']))
  t.match(events.at(-1), /^orders-1 was killed \(SIGKILL\); restarted after \d+\.\d s$/)
  const names = [await whoami('orders', access_token), await whoami('orders', access_token)]
  t.equal(new Set(names.map(servedBy)).size, 2, 'it is in turn again')
})

t.test(
  'without Postgres, verifies tokens and answers 503 to logins until it is back',
  async (t) => {
    const { access_token } = await tokens()
    const pids = cluster.instances.map(({ name }) => cluster.pid(name))
    await cluster.stopProcess('postgres')
    for (const service of ['orders', 'orders', 'billing', 'billing']) {
      t.equal((await whoami(service, access_token)).status, 200)
    }
    const refused = await login()
    t.equal(refused.status, 503)
    t.match(await refused.json(), { code: 'database_unavailable' })
    t.equal((await fetch(`${cluster.instances[0]?.url}/readyz`)).status, 503)
    await cluster.startProcess('postgres')
    const startedAt = Date.now()
    await until(async () => (await login()).status === 200)
    t.ok(Date.now() - startedAt < 2_000, `login works again after ${Date.now() - startedAt} ms`)
    t.strictSame(
      cluster.instances.map(({ name }) => cluster.pid(name)),
      pids,
      'no process was restarted',
    )
  },
)

t.test('stop leaves no process, no open port and no folder', async (t) => {
  const { port } = new URL(url)
  const family = familyOf(process.pid).filter((pid) => pid !== process.pid)
  t.ok(family.length >= 8)
  await cluster.stop()
  t.ok(await allEnd(family))
  await t.rejects(stat(cluster.dataFolder), { code: 'ENOENT' })
  const socket = connect(Number(port), '127.0.0.1')
  await t.rejects(
    new Promise((resolve, reject) => socket.on('connect', resolve).on('error', reject)),
  )
})

/** Waits until the condition is true, at most 20 s. */
async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`not true after 20 s; events: ${events.join('; ')}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
