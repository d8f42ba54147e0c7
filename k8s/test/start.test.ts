import { join } from 'node:path'
import { createDatabase } from '@latchkey/test-kit'
import { readCommands } from '@latchkey/test-kit/guide'
import { request } from '@latchkey/test-kit/plain-browser'
import { startService } from '@latchkey/test-kit/service'
import { execa } from 'execa'
import t from 'tap'
import { createSecrets } from './guide.ts'
import { environmentOf, podsOf, root, services } from './objects.ts'
import { findPublished } from './publications.ts'
import { renderOverlay } from './render.ts'

const objects = renderOverlay('dev')
const secrets = createSecrets()
const here = { LATCHKEY_HOST: '127.0.0.1', LATCHKEY_PORT: '0', LATCHKEY_DRAIN_SECONDS: '0' }
const account = JSON.stringify({ email: 'ada@example.com', password: 'correct horse battery' })

/** Where a navigation is redirected to. */
async function follow(url: string): Promise<URL> {
  const { fields } = await request(url, { headers: { accept: 'text/html' } })
  return new URL(fields.get('location') ?? 'none:', url)
}

/** Runs the commands of the guide that register the apps. */
async function registerApps(authUrl: string, keysFile: string): Promise<void> {
  const [register = ''] = readCommands('docs/guides/kubernetes.md', 'Sign in')
  const script = register
    .replace('$secrets/keys.json', keysFile)
    .replace('http://127.0.0.1:8081', authUrl)
    .replace('sleep 3', '')
  await execa('bash', ['-euo', 'pipefail', '-c', `kubectl() { :; }\n${script}`], { cwd: root })
}

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
  const metadata = await fetch(`${servers[0]?.url}/.well-known/openid-configuration`)
  for (const [member, url] of Object.entries((await metadata.json()) as object)) {
    if (!/_(endpoint|uri)$/.test(member)) continue
    const isPublished = findPublished(objects).some(
      ({ host, path }) => `https://${host}${path}` === url,
    )
    t.ok(isPublished, `${member} is published`)
  }

  const { access_token } = (await (await post('/v1/login')).json()) as { access_token: string }
  const headers = { authorization: `Bearer ${access_token}` }
  for (const { url } of servers.slice(1)) {
    t.equal((await fetch(`${url}/whoami`, { headers })).status, 200)
  }

  await registerApps(servers[0]?.url ?? '', join(folder, 'auth/keys/keys.json'))
  for (const [index, app] of ['orders', 'billing'].entries()) {
    const toAuth = await follow(`${servers[index + 1]?.url}/`)
    const authorize = await follow(`${servers[index + 1]?.url}${toAuth.pathname}${toAuth.search}`)
    t.equal(toAuth.origin, `https://${app}.latchkey.test`)
    t.equal(authorize.origin + authorize.pathname, 'https://sso.latchkey.test/auth/oauth/authorize')
    const login = await follow(`${servers[0]?.url}/oauth/authorize${authorize.search}`)
    t.equal(login.pathname, '/login', `auth knows ${app}, and that it is there`)
  }
  for (const server of servers) t.equal(await server.stop(), 0)
})
