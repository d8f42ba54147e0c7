import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { docker } from './command.ts'
import { findEngine, needsEngine } from './engine.ts'
import { type Answer, type Client, createClient } from './https.ts'
import { startLoad } from './load.ts'
import { createProject, type Project } from './project.ts'

const found = findEngine()
const services = ['auth', 'orders', 'billing'] as const
const user = { email: 'ada@example.com', password: 'correct horse battery' }
// Building three images on a machine that never did takes most of it.
const timeout = 900_000
t.setTimeout(timeout)

interface Inspected {
  readonly Name: string
  readonly Config: { readonly Env: string[]; readonly User: string }
  readonly State: {
    readonly Running: boolean
    readonly ExitCode: number
    readonly Health?: { readonly Status: string }
  }
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean
    readonly CapDrop: string[]
    readonly SecurityOpt: string[]
    readonly Memory: number
  }
  readonly NetworkSettings: { readonly Ports: Record<string, unknown> }
}

const inspect = async (ids: string[]): Promise<Inspected[]> =>
  JSON.parse(await docker('inspect', ...ids))

/** Tries until nothing is amiss, for as long as a slow machine may take. */
async function eventually(amiss: () => Promise<string>, withinMs = 90_000): Promise<void> {
  const deadline = Date.now() + withinMs
  for (let what = await amiss(); what !== ''; what = await amiss()) {
    if (Date.now() > deadline) throw new Error(`after ${withinMs / 1_000} s: ${what}`)
    await sleep(500)
  }
}

/** Names the containers that run and are not healthy, or ended in failure. */
async function unhealthy(project: Project): Promise<string> {
  const containers = await inspect(await project.containers())
  const states = containers.map(({ Name, State: { Running, ExitCode, Health } }) => {
    const fine = Running ? Health?.Status === 'healthy' : ExitCode === 0
    return fine ? [] : [`${Name} is ${Running ? Health?.Status : `ended with ${ExitCode}`}`]
  })
  return states.flat().join(', ')
}

/** A client that trusts the authority of the edge, as it stands in the edge's container. */
async function connect(t: Test, project: Project): Promise<Client> {
  const [edge = ''] = await project.containers('edge')
  const authority = '/data/caddy/pki/authorities/local/root.crt'
  const ca = await docker('exec', edge, 'cat', authority)
  const client = createClient({ port: project.port, ca })
  t.teardown(client.close)
  return client
}

/** The instances that answer `count` requests. */
async function servers(count: number, ask: () => Promise<Answer>): Promise<Set<string>> {
  const seen = new Set<string>()
  for (let at = 0; at < count; at++) seen.add((await ask()).servedBy ?? 'nobody')
  return seen
}

t.test('docker compose up is all', { ...needsEngine(found), timeout }, async (t) => {
  if (!found.engine) return t.fail(`${found.lacking}; in CI it must be here`)
  const project = await createProject(t, found.engine)
  await project.up('--build')
  await eventually(() => unhealthy(project))
  const client = await connect(t, project)
  const registered = await client.post('/auth/v1/register', { body: user })
  t.equal(registered.status, 201)
  const login = async () => (await client.post('/auth/v1/login', { body: user })).body
  const { access_token: token } = await login()

  await t.test('one login opens both services at both replicas, in turn', async (t) => {
    for (const service of services) {
      const path = service === 'auth' ? '/auth/v1/me' : `/${service}/whoami`
      const seen = await servers(8, () => client.get(path, { token }))
      t.equal(seen.size, 2, `${service} is answered by ${[...seen]}`)
    }
  })

  await t.test('billing reaches orders with the caller’s token', async (t) => {
    const order = { item: 'a lock', quantity: 1, unit_price_cents: 1_200 }
    const ordered = await client.post('/orders/v1/orders', { token, body: order })
    t.equal(ordered.status, 201)
    const invoice = { order_id: ordered.body.id }
    t.equal((await client.post('/billing/v1/invoices', { token, body: invoice })).status, 201)
  })

  await t.test('a logout at one replica reaches every verifier', async (t) => {
    const { access_token: token } = await login()
    t.equal((await client.get('/orders/whoami', { token })).status, 200)
    t.equal((await client.post('/auth/v1/logout', { token })).status, 204)
    const refused = async () => {
      const answers = [1, 2, 3, 4].map((at) =>
        client.get(at % 2 ? '/orders/whoami' : '/billing/whoami', { token }),
      )
      const accepting = (await Promise.all(answers)).filter(({ status }) => status !== 401)
      return accepting.map(({ servedBy }) => `${servedBy} accepts the token`).join(', ')
    }
    await eventually(refused, 15_000)
  })

  await t.test(
    'metrics are for Prometheus, which has every replica, not for the world',
    async (t) => {
      for (const path of [
        '/auth/metrics',
        '/auth//metrics',
        '/auth/%6detrics',
        '/orders/x/../metrics',
      ]) {
        const { status, body } = await client.get(path)
        t.match({ status, body }, { status: 404, body: { code: 'route_unknown' } })
      }
      const [prometheus = ''] = await project.containers('prometheus')
      const query = ['promtool', 'query', 'instant', 'http://127.0.0.1:9090', 'sum(up)']
      await eventually(async () => {
        const sum = await docker('exec', prometheus, ...query)
        return sum.includes('=> 6 @') ? '' : `of six replicas ${sum || 'none'} is scraped`
      })
    },
  )

  await t.test('containers are locked down, and only the edge has a port', async (t) => {
    const containers = await inspect(await project.containers())
    t.equal(containers.length, 13)
    for (const { Name, HostConfig, Config, NetworkSettings } of containers) {
      t.ok(HostConfig.ReadonlyRootfs, `${Name} is read-only`)
      t.strictSame(HostConfig.CapDrop, ['ALL'])
      t.strictSame(HostConfig.SecurityOpt, ['no-new-privileges:true'])
      t.ok(HostConfig.Memory > 0, `${Name} has a memory limit`)
      const published = Object.values(NetworkSettings.Ports).some((ports) => ports !== null)
      t.equal(published, /_edge_|-edge-/.test(Name), `${Name} publishes what it should`)
      if (/auth|orders|billing/.test(Name)) t.match(Config.User, /^[1-9]/, `${Name} is not root`)
    }
  })

  await t.test('no secret is in an environment, a log or an image’s history', async (t) => {
    const secrets = await Promise.all(
      services.map(async (name) => new URL(await project.secret(`${name}_database_url`)).password),
    )
    secrets.push(await project.secret('postgres_password'))
    for (const { k } of JSON.parse(await project.secret('keyring/keys.json')).keys) secrets.push(k)
    const ids = await project.containers()
    const images = services.map((name) => `latchkey/${name}:0.1.0`)
    const said = await Promise.all([
      docker('inspect', ...ids),
      docker('inspect', ...images),
      ...images.map((image) => docker('history', '--no-trunc', image)),
      ...ids.map((id) => docker('logs', id)),
    ])
    t.equal(secrets.length, 6)
    for (const secret of secrets) t.notOk(said.some((text) => text.includes(secret)))
  })

  await t.test('a service’s role enters its own database alone', async (t) => {
    const [postgres = ''] = await project.containers('postgres')
    const url = new URL(await project.secret('orders_database_url'))
    url.hostname = '127.0.0.1'
    const enter = (database: string) => {
      url.pathname = `/${database}`
      return docker('exec', postgres, 'psql', url.href, '--command', 'SELECT 1')
    }
    await t.resolves(enter('latchkey_orders'))
    for (const database of ['latchkey_auth', 'latchkey_billing', 'postgres', 'template1']) {
      await t.rejects(enter(database), { message: /permission denied for database/ })
    }
  })

  await t.test('images add less than 80 MB to their base', async (t) => {
    const sizeOf = async (image: string) =>
      Number(await docker('image', 'inspect', '--format', '{{.Size}}', image)) / 1e6
    const base = await sizeOf('node:24-bookworm-slim')
    for (const service of services) {
      const added = (await sizeOf(`latchkey/${service}:0.1.0`)) - base
      t.ok(added < 80, `${service} adds ${added.toFixed(1)} MB`)
    }
  })

  await t.test('scaling to four and back under load fails no request', async (t) => {
    let session = await login()
    const loads = [
      startLoad(3, () => client.get('/orders/whoami', { token })),
      startLoad(3, () => client.get('/billing/whoami', { token })),
      startLoad(1, async () => {
        const { refresh_token } = session
        const answer = await client.post('/auth/v1/refresh', { body: { refresh_token } })
        if (answer.status === 200) session = answer.body
        return answer
      }),
    ]
    const stop = () => Promise.all(loads.map((load) => load.stop()))
    try {
      for (const replicas of [4, 2]) {
        const scale = services.flatMap((service) => ['--scale', `${service}=${replicas}`])
        await project.up('--no-recreate', ...scale)
        await eventually(async () => {
          const { size } = await servers(12, () => client.get('/orders/whoami', { token }))
          return size === replicas ? unhealthy(project) : `${size} replicas answer, not ${replicas}`
        })
      }
    } finally {
      const [orders, billing, refreshes] = await stop()
      t.comment(JSON.stringify({ orders, billing, refreshes }))
      for (const seen of [orders, billing, refreshes])
        t.strictSame(Object.keys(seen ?? {}), ['200'])
    }
  })

  await t.test('SIGTERM ends a replica with 0 within its grace', async (t) => {
    for (const service of services) {
      const [id = ''] = await project.containers(service)
      const started = Date.now()
      await docker('stop', '--time', '20', id)
      t.ok(Date.now() - started < 15_000, `${service} took ${Date.now() - started} ms`)
      t.equal((await inspect([id]))[0]?.State.ExitCode, 0)
    }
  })

  await t.test('secrets are never overwritten', async (t) => {
    await t.rejects(project.initAgain(), { message: /exists; move it away first/ })
  })

  await t.test('down leaves nothing behind', async (t) => {
    await project.down()
    t.strictSame(await project.containers(), [])
    t.strictSame(await project.networks(), [])
    t.strictSame(await project.volumes(), [])
  })
})
