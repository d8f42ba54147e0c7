import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readAmongBadClients, sendBadRequest, startReaders } from '@latchkey/test-kit/bad-clients'
import { skip as skipWithoutBrowser } from '@latchkey/test-kit/browser'
import { countValues, startLoad } from '@latchkey/test-kit/load'
import { execa } from 'execa'
import t, { type Test } from 'tap'
import { type Answer, type Client, createClient } from './client.ts'
import {
  createProject,
  docker,
  findUnhealthy,
  inspect,
  needsEngine,
  type Project,
  root,
  services,
} from './project.ts'
import { signInAndOut } from './sign-in.ts'

const user = { email: 'ada@example.com', password: 'correct horse battery' }
// Most of this is for the first build of the images.
const timeout = 900_000
t.setTimeout(timeout)

/** Waits until no problem is found. */
async function waitForNone(find: () => Promise<string>, withinMs = 240_000): Promise<void> {
  const deadline = Date.now() + withinMs
  for (let problem = await find(); problem !== ''; problem = await find()) {
    if (Date.now() > deadline) throw new Error(`after ${withinMs / 1_000} s: ${problem}`)
    await sleep(500)
  }
}

/** The authority of the edge's certificate. */
async function readAuthority(project: Project): Promise<string> {
  const [edge = ''] = await project.containers('edge')
  return docker('exec', edge, 'cat', '/data/caddy/pki/authorities/local/root.crt')
}

function connect(t: Test, project: Project, ca: string, host?: string): Client {
  const client = createClient(project.port, ca, host)
  t.teardown(client.close)
  return client
}

/** The instances that serve `count` requests. */
async function findInstances(count: number, send: () => Promise<Answer>): Promise<Set<string>> {
  const instances = new Set<string>()
  for (let at = 0; at < count; at++) instances.add((await send()).servedBy ?? 'none')
  return instances
}

/** The outcome of a request: its status, and what is known of a failure. */
const describe = ({ status, servedBy = 'the edge', body }: Answer) =>
  status < 400 ? `${status}` : `${status} ${body.code ?? body} by ${servedBy}`

t.test('docker compose up starts Latchkey', { ...needsEngine, timeout }, async (t) => {
  const project = await createProject(t)
  await project.up('--build')
  await waitForNone(() => findUnhealthy(project))
  const ca = await readAuthority(project)
  const client = connect(t, project, ca)
  const publicPath = (path: string) => ({
    url: new URL(`https://localhost:${project.port}${path}`),
    ca,
  })
  const registered = await client.post('/auth/v1/register', { body: user })
  t.equal(registered.status, 201)
  const login = async () => (await client.post('/auth/v1/login', { body: user })).body
  const { access_token: token } = await login()

  await t.test('one login opens every service, at both replicas in turn', async (t) => {
    for (const service of services) {
      const path = service === 'auth' ? '/auth/v1/me' : `/${service}/whoami`
      const instances = await findInstances(8, () => client.get(path, { token }))
      t.equal(instances.size, 2, `${service} is served by ${[...instances]}`)
    }
  })

  await t.test('billing reaches orders with the caller’s token', async (t) => {
    const order = { item: 'a lock', quantity: 1, unit_price_cents: 1_200 }
    const ordered = await client.post('/orders/v1/orders', { token, body: order })
    t.equal(ordered.status, 201)
    const invoice = { order_id: ordered.body.id }
    t.equal((await client.post('/billing/v1/invoices', { token, body: invoice })).status, 201)
  })

  const browserOptions = { skip: skipWithoutBrowser }
  await t.test('a person signs in once, for the pages of every app', browserOptions, async (t) => {
    await signInAndOut(t, project.port, user)
  })

  await t.test('a logout at one replica reaches every verifier', async (t) => {
    const { access_token: token } = await login()
    t.equal((await client.get('/orders/whoami', { token })).status, 200)
    t.equal((await client.post('/auth/v1/logout', { token })).status, 204)
    const verifiers = services.filter((service) => service !== 'auth')
    const accepting = async () => {
      const paths = [...verifiers, ...verifiers].map((service) => `/${service}/whoami`)
      const answers = await Promise.all(paths.map((path) => client.get(path, { token })))
      const accepted = answers.filter(({ status }) => status !== 401)
      return accepted.map(({ servedBy }) => `${servedBy} accepts the token`).join(', ')
    }
    await waitForNone(accepting, 15_000)
  })

  await t.test('the edge publishes no internal path, in any spelling', async (t) => {
    const spellings = ['/auth/X', '/auth//X', '//auth/X', '/auth/./X', '/orders/x/../X', '/auth/X/']
    for (const name of ['metrics', 'readyz', 'READYZ', '%6detrics', '%72eady%7a']) {
      for (const spelling of spellings) {
        const { status, body } = await client.get(spelling.replace('X', name))
        t.match({ status, body }, { status: 404, body: { code: 'route_unknown' } }, spelling)
      }
    }
    for (const app of services.filter((service) => service !== 'auth')) {
      const pages = connect(t, project, ca, `${app}.localhost`)
      t.equal((await pages.get('/whoami', { token })).status, 200)
      for (const path of ['/X', '//X', '/./X', '/x/../X', '/X/', '/X;x']) {
        for (const name of ['metrics', 'readyz', 'READYZ', '%6detrics', '%72eady%7a']) {
          const { status, body } = await pages.get(path.replace('X', name))
          t.match({ status, body }, { status: 404, body: { code: 'route_unknown' } }, path)
        }
      }
    }
    const { status, body } = await client.get('/auth/metrics#x')
    t.match({ status, body }, { status: 400, body: { code: 'malformed_request' } })
  })

  await t.test('the edge has a page at /, and every link on it works', async (t) => {
    const { status, body } = await client.get('/')
    t.equal(status, 200)
    // The test of the sign-in opens those of other hosts.
    const links = [...body.matchAll(/href="(\/[^"]+)"/g)].map(([, path]) => path)
    t.equal(links.length, 2 + services.length)
    for (const path of links) t.ok((await client.get(path)).status < 400, path) // /auth/docs redirects
  })

  await t.test(
    'the metadata is also where RFC 8414 puts that of an issuer with a path',
    async (t) => {
      const issuer = `https://localhost:${project.port}/auth`
      for (const path of ['/.well-known/X/auth', '/auth/.well-known/X']) {
        const answer = await client.get(path.replace('X', 'oauth-authorization-server'))
        t.match(answer, { status: 200, body: { issuer } }, path)
      }
    },
  )

  await t.test('a bad request costs its sender alone', async (t) => {
    const alone = startReaders(publicPath('/auth/livez'))
    await sleep(3_000)
    await alone.stop()
    const { answers } = await readAmongBadClients(publicPath('/auth/livez'), 6)
    const counts = countValues(answers.map(({ status }) => status))
    // 504: the replica is alive, on a busy machine. No other failure, and not a fraction of the rate:
    // while Caddy held the replicas responsible, there was one answer a second.
    t.strictSame(
      Object.keys(counts).filter((status) => status !== '504'),
      ['200'],
    )
    t.ok(answers.length > alone.answers.length / 2, JSON.stringify(counts))
    // On a busy machine, the service answers before the edge has read the bad chunk.
    const broken = await sendBadRequest(publicPath('/auth/v1/login'), 'bad chunk in a POST')
    t.match(broken, /^HTTP\/1.1 4(00|15) .*"code":"(malformed_request|unsupported_media_type)"/s)
    t.match(await sendBadRequest(publicPath('/auth/livez'), 'two Host headers'), /^HTTP\/1.1 400 /)
    // Without a bound of its attempts, the answer comes after 10 s, when the client has left.
    await waitForNone(async () => {
      const answer = await sendBadRequest(publicPath('/auth/livez'), 'bad chunk', 8_000)
      return /^HTTP\/1.1 [24]00 /.test(answer) ? '' : `a broken GET got "${answer}"`
    }, 20_000)
    const cut = await sendBadRequest(publicPath('/auth/v1/login'), 'half-closed in the body')
    // Never an empty 200: the service refuses the missing media type, or the edge notices the cut.
    t.match(cut, /^HTTP\/1.1 (415|502) .*"code":"(unsupported_media_type|upstream_interrupted)"/s)
    t.match(
      await sendBadRequest(publicPath('/auth/livez'), 'half-closed'),
      /^HTTP\/1.1 200 .*x-served-by/is,
    )
  })

  await t.test('Prometheus scrapes every replica', async () => {
    const [prometheus = ''] = await project.containers('prometheus')
    const query = ['promtool', 'query', 'instant', 'http://127.0.0.1:9090', 'sum by (job) (up)']
    await waitForNone(async () => {
      const scraped = await docker('exec', prometheus, ...query)
      const isMissing = (job: string) => !scraped.includes(`{job="${job}"} => 2 @`)
      const missing = services.filter(isMissing)
      return missing.length > 0 ? `Prometheus lacks ${missing}: ${scraped}` : ''
    })
  })

  await t.test('containers are hardened, and only the edge publishes a port', async (t) => {
    const containers = await inspect(await project.containers())
    // Postgres, its databases, the clients, the edge and Prometheus; of each service a migration and
    // two replicas.
    t.equal(containers.length, 5 + 3 * services.length)
    for (const { Name, HostConfig, Config, Mounts, NetworkSettings } of containers) {
      t.ok(HostConfig.ReadonlyRootfs, `${Name} is read-only`)
      t.strictSame(HostConfig.CapDrop, ['ALL'])
      t.strictSame(HostConfig.SecurityOpt, ['no-new-privileges:true'])
      t.ok(HostConfig.Memory > 0, `${Name} has a memory limit`)
      t.ok(HostConfig.PidsLimit > 0, `${Name} has a limit of processes`)
      for (const { Type, Name: volume } of Mounts) {
        if (Type === 'volume') t.match(volume, /^latchkey-test-/, 'no anonymous volume')
      }
      const published = Object.values(NetworkSettings.Ports).flatMap((ports) => ports ?? [])
      for (const { HostIp } of published) t.equal(HostIp, '127.0.0.1')
      t.equal(published.length > 0, /_edge_|-edge-/.test(Name), Name)
      if (services.some((service) => Name.includes(service)))
        t.match(Config.User, /^[1-9]/, `${Name} is not root`)
    }
  })

  await t.test('environments, logs and image histories contain no secret', async (t) => {
    const secrets = await Promise.all(
      services.map(async (name) => new URL(await project.secret(`${name}_database_url`)).password),
    )
    secrets.push(await project.secret('postgres_password'))
    for (const file of ['keyring', 'service-keys/orders', 'service-keys/billing']) {
      const { keys } = JSON.parse(await project.secret(`${file}/keys.json`))
      for (const { k = '', d = k } of keys) if (!secrets.includes(d)) secrets.push(d)
    }
    const ids = await project.containers()
    const images = services.map((name) => `latchkey/${name}:0.1.0`)
    const texts = await Promise.all([
      docker('inspect', ...ids),
      docker('inspect', ...images),
      ...images.map((image) => docker('history', '--no-trunc', image)),
      ...ids.map(async (id) => (await execa('docker', ['logs', id], { all: true })).all),
    ])
    // A password per service, that of Postgres, four keys of auth, and one of each other service.
    t.equal(secrets.length, services.length + 1 + 4 + 2)
    for (const secret of secrets) t.notOk(texts.some((text) => text.includes(secret)))
  })

  await t.test('each service has its own keys and those of no other', async (t) => {
    for (const service of services) {
      const [id = ''] = await project.containers(service)
      const { keys } = JSON.parse(
        await docker('exec', id, 'cat', '/run/latchkey/keyring/keys.json'),
      )
      const uses = keys.map(({ use, kid }: { use?: string; kid: string }) =>
        use === 'latchkey:service' ? kid.split('/')[1] : use,
      )
      const ofAuth = ['latchkey:refresh', 'latchkey:root', 'latchkey:id-token']
      const own = service === 'auth' ? ofAuth : [service]
      t.strictSame(uses, [undefined, ...own], service)
    }
  })

  await t.test('the role of a service can connect to its own database only', async (t) => {
    const [postgres = ''] = await project.containers('postgres')
    const url = new URL(await project.secret('orders_database_url'))
    url.hostname = '127.0.0.1'
    const connectTo = (database: string) => {
      url.pathname = `/${database}`
      return docker('exec', postgres, 'psql', url.href, '--command', 'SELECT 1')
    }
    await t.resolves(connectTo('latchkey_orders'))
    for (const database of ['latchkey_auth', 'latchkey_billing', 'postgres', 'template1']) {
      await t.rejects(connectTo(database), { message: /permission denied for database/ })
    }
  })

  await t.test('images add to their base what decision 11 says', async (t) => {
    const decision = await readFile(join(root, 'docs/decisions/0011-images.md'), 'utf8')
    const sizeOf = async (image: string) =>
      Number(await docker('image', 'inspect', '--format', '{{.Size}}', image)) / 1e6
    const base = await sizeOf('node:24-bookworm-slim')
    for (const service of services) {
      const added = (await sizeOf(`latchkey/${service}:0.1.0`)) - base
      const [, documented] = new RegExp(`\\| .*${service}.* \\| (\\d+) MB`).exec(decision) ?? []
      const difference = Math.abs(added - Number(documented))
      t.ok(difference < 6, `${service} adds ${added.toFixed(1)} MB, not ${documented}`)
    }
  })

  await t.test('no request fails while services scale up and down under load', async (t) => {
    let session = await login()
    const getters = ['/orders/whoami', '/billing/whoami'].map((path) => async () => {
      return { outcome: `${path} ${describe(await client.get(path, { token }))}` }
    })
    const refresh = async () => {
      const { refresh_token } = session
      const answer = await client.post('/auth/v1/refresh', { body: { refresh_token } })
      if (answer.status === 200) session = answer.body
      return { outcome: `refresh ${describe(answer)}` }
    }
    const load = startLoad([...getters, ...getters, ...getters, refresh], { pauseMs: 20 })
    try {
      for (const replicas of [4, 2]) {
        const scale = services.flatMap((service) => ['--scale', `${service}=${replicas}`])
        await project.up('--no-recreate', ...scale)
        await waitForNone(async () => {
          const { size } = await findInstances(12, () => client.get('/orders/whoami', { token }))
          return size === replicas ? findUnhealthy(project) : `${size} instances, not ${replicas}`
        })
      }
    } finally {
      await load.stop()
    }
    const counts = countValues(load.answers.map(({ outcome }) => outcome))
    t.comment(JSON.stringify(counts))
    const outcomes = new Set(Object.keys(counts))
    t.same(outcomes, new Set(['/orders/whoami 200', '/billing/whoami 200', 'refresh 200']))
  })

  await t.test('a replica that vanishes fails no read and delays few', async (t) => {
    const [id = ''] = await project.containers('orders')
    const { answers, stop } = startReaders(publicPath('/orders/livez'))
    await sleep(1_000)
    await docker('kill', id)
    await sleep(3_000)
    await stop()
    t.strictSame(Object.keys(countValues(answers.map(({ status }) => status))), ['200'])
    const longest = Math.max(...answers.map(({ askedAt, answeredAt }) => answeredAt - askedAt))
    t.ok(longest < 3_000, `the longest took ${longest.toFixed(0)} ms`)
    await docker('start', id)
    await waitForNone(() => findUnhealthy(project))
  })

  await t.test('SIGTERM stops a replica with exit code 0 within its grace period', async (t) => {
    for (const service of services) {
      const [id = ''] = await project.containers(service)
      const started = Date.now()
      await docker('stop', '--time', '20', id)
      t.ok(Date.now() - started < 15_000, `${service} took ${Date.now() - started} ms`)
      t.equal((await inspect([id]))[0]?.State.ExitCode, 0)
    }
  })

  await t.test('compose:init overwrites no secrets', async (t) => {
    await t.rejects(project.init(), { message: /already exists; move it first/ })
  })

  await t.test('down removes everything', async (t) => {
    await project.down()
    t.strictSame(await project.containers(), [])
    t.strictSame(await project.networks(), [])
    t.strictSame(await project.volumes(), [])
  })
})
