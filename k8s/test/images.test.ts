import t from 'tap'
import { parse } from 'yaml'
import { commands } from './guide.ts'
import {
  environmentOf,
  type KubeObject,
  list,
  type Objects,
  ofKind,
  podsOf,
  read,
  services,
  settingsOf,
} from './objects.ts'
import { renderOverlay } from './render.ts'

const { version } = JSON.parse(read('package.json'))
const compose = parse(read('docker-compose.yml'), { merge: true }).services
const dockerfile = read('Dockerfile')
const dev = renderOverlay('dev')
const production = renderOverlay('production')
const ours = [dev, production].flatMap((objects) =>
  podsOf(objects)
    .filter(({ kind }) => kind !== 'StatefulSet')
    .map((pods) => ({ ...pods, environment: environmentOf(objects, pods.pod) })),
)

/** The arguments of an instruction in the last stage of the Dockerfile. */
const instruction = (name: string) =>
  [...dockerfile.matchAll(new RegExp(`^${name} (.+)$`, 'gm'))].at(-1)?.[1] ?? ''

const imagesOf = (objects: Objects, service: string) =>
  podsOf(objects)
    .filter(({ labels }) => labels['app.kubernetes.io/name'] === service)
    .map(({ pod }) => pod.containers[0].image)

t.test('servers and migrations run the image that Compose builds, of this version', async (t) => {
  for (const service of services) {
    const image = `latchkey/${service}:${version}`
    t.equal(compose[service].image, image)
    t.strictSame(imagesOf(dev, service), [image, image])
    const published = `registry.example.com/${image}`
    t.strictSame(imagesOf(production, service), [published, published])
  }
})

t.test('auth has the same audiences and default scope as in Compose', async (t) => {
  const { LATCHKEY_AUDIENCES, LATCHKEY_DEFAULT_SCOPE } = compose.auth.environment
  t.ok(LATCHKEY_AUDIENCES && LATCHKEY_DEFAULT_SCOPE)
  const servers = ours.filter(({ where }) => where === 'Deployment auth')
  t.equal(servers.length, 2)
  for (const { environment } of servers) {
    t.match(environment, { LATCHKEY_AUDIENCES, LATCHKEY_DEFAULT_SCOPE })
  }
})

t.test('the guide registers the apps as Compose does', async (t) => {
  const find = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((m) => m.slice(1))
  const add = /clients add (\w+) .*?--audiences (\S+) --scope '(.+?)'/gs
  const inGuide = find(commands('Sign in'), add)
  t.strictSame(
    inGuide.map(([name]) => name).sort(),
    services.filter((name) => name !== 'auth').sort(),
  )
  t.strictSame(find(read('ops/compose/clients.sh'), /^register (\w+) (\S+) '(.+)'$/gm), inGuide)
})

t.test('the guide builds the images that the dev overlay runs', async (t) => {
  t.match(commands('Images'), `--tag latchkey/$service:${version} `)
  t.match(commands('Images'), `kind load docker-image latchkey/$service:${version} `)
  t.match(dockerfile, /^ARG SERVICE$/m)
})

t.test('pods use the port, the user and the program of the image', async (t) => {
  const port = instruction('EXPOSE')
  t.strictSame(JSON.parse(instruction('ENTRYPOINT')), ['node', 'src/main.ts'])
  t.equal(instruction('USER'), 'node')
  for (const { kind, where, pod, environment } of ours) {
    const [container] = pod.containers
    t.equal(pod.securityContext.runAsUser, 1000, `${where}: the user "node" of the Node images`)
    t.equal(container.command, undefined, where)
    t.strictSame(container.args, kind === 'Job' ? ['migrate'] : undefined, where)
    if (kind === 'Job') continue
    t.match(container.ports, [{ containerPort: Number(port) }], where)
    t.equal(environment.LATCHKEY_PORT, port, where)
  }
  const known = [Number(port), 5432, 53, 5353, 8000, 443, 6443]
  for (const { spec } of [dev, production].flatMap((one) => ofKind(one, 'NetworkPolicy'))) {
    const rules = [...list(spec.ingress), ...list(spec.egress)]
    const ports = rules.flatMap((rule) => list(rule.ports).map((one) => one.port))
    t.ok(ports.every((one) => known.includes(one)))
  }
})

t.test('hosts are placeholders, and come from the settings alone', async (t) => {
  const domains = { 'latchkey.test': dev, 'example.com': production }
  for (const [domain, objects] of Object.entries(domains)) {
    const [host, orders, billing] = ['sso', 'orders', 'billing'].map((name) => `${name}.${domain}`)
    t.equal(settingsOf(objects).LATCHKEY_ISSUER, `https://${host}/auth`)
    const hostsOf = ({ metadata, spec }: KubeObject) => [
      metadata.name,
      [...list(spec.rules).map(({ host }) => host), ...list(spec.tls).flatMap((one) => one.hosts)],
    ]
    t.strictSame(Object.fromEntries(ofKind(objects, 'Ingress').map(hostsOf)), {
      latchkey: [host, host],
      orders: [orders, orders],
      billing: [billing, billing],
      'latchkey-redirect': [host, orders, billing],
    })
  }
})

t.test('the alert rules for Prometheus are the tested ones', async (t) => {
  const [rule] = ofKind(production, 'PrometheusRule')
  const { groups } = parse(read('ops/observability/alerts/latchkey.yml'))
  t.strictSame(rule?.spec.groups, groups, 'run `npm run k8s:rules`')
})
