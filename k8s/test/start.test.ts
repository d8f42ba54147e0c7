import { join } from 'node:path'
import { createDatabase } from '@latchkey/test-kit'
import { startService } from '@latchkey/test-kit/service'
import { execa } from 'execa'
import t from 'tap'
import { createSecrets } from './guide.ts'
import { environmentOf, podsOf, root, services } from './objects.ts'
import { findPublished, inwardPaths, leadsTo } from './publications.ts'
import { renderOverlay } from './render.ts'

const objects = renderOverlay('dev')
const secrets = createSecrets()
const here = { LATCHKEY_HOST: '127.0.0.1', LATCHKEY_PORT: '0', LATCHKEY_DRAIN_SECONDS: '0' }
type Api = { paths: object }
const account = JSON.stringify({ email: 'ada@example.com', password: 'correct horse battery' })

t.test('a login opens every service that is set up by the manifests and the guide', async (t) => {
  const mounted: Parameters<typeof t.testdir>[0] = {}
  for (const service of services) {
    const keys = secrets.get(service === 'auth' ? 'latchkey-keys' : `${service}-keys`)
    mounted[service] = { keys: { ...keys }, database: { url: await createDatabase(t) } }
  }
  const folder = t.testdir(mounted)

  /** The environment of a workload, with the URLs of services and the files of Secrets here. */
  const urls: Record<string, string> = {}
  const environment = (kind: string, service: string) => {
    const pods = podsOf(objects).filter((one) => one.labels['app.kubernetes.io/name'] === service)
    const there = environmentOf(objects, pods.find((one) => one.kind === kind)?.pod)
    const local = Object.entries(there).map(([name, value]) => {
      return [name, value.replace('/run/secrets/latchkey', join(folder, service))]
    })
    return { ...Object.fromEntries(local), ...urls }
  }
  const migrate = (service: string) =>
    execa(process.execPath, [join(root, 'services', service, 'src/main.ts'), 'migrate'], {
      env: environment('Job', service),
      extendEnv: false,
    })

  const others = services.filter((service) => service !== 'auth' && service !== 'orders')
  const servers: Awaited<ReturnType<typeof startService>>[] = []
  for (const service of ['auth', 'orders', ...others]) {
    await migrate(service)
    await t.resolves(migrate(service), 'a second migration changes nothing')
    const server = await startService(service, { ...environment('Deployment', service), ...here })
    t.teardown(() => server.stop())
    servers.push(server)
    urls[`LATCHKEY_${service.toUpperCase()}_URL`] = server.url
    t.equal((await fetch(`${server.url}/livez`)).status, 200)
    t.equal((await fetch(`${server.url}/readyz`)).status, 200)
  }

  const post = (path: string) => {
    const headers = { 'content-type': 'application/json' }
    return fetch(`${servers[0]?.url}${path}`, { method: 'POST', headers, body: account })
  }
  t.equal((await post('/v1/register')).status, 201)
  const { paths } = (await (await fetch(`${servers[0]?.url}/docs/json`)).json()) as Api
  for (const route of Object.keys(paths)) {
    const isPublished = findPublished(objects).some(
      (one) => one.service === 'auth' && leadsTo(one, route),
    )
    const isInward = inwardPaths('auth').some((path) => route.startsWith(path))
    t.not(isPublished, isInward, `${route} is published, or only for services and operators`)
  }

  const { access_token } = (await (await post('/v1/login')).json()) as { access_token: string }
  const headers = { authorization: `Bearer ${access_token}` }
  for (const { url } of servers.slice(1)) {
    t.equal((await fetch(`${url}/whoami`, { headers })).status, 200)
  }
  for (const server of servers) t.equal(await server.stop(), 0)
})
