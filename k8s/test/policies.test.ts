import t from 'tap'
import { type KubeObject, ofKind } from './objects.ts'
import { bounded, graceful, pinned, probed, restricted, spread } from './policies/pods.ts'
import type { Policy } from './policies/policy.ts'
import { published, scaled, scraped, selectorsMatch } from './policies/references.ts'
import { secretsAreFiles, secretsAreOwn, secretsFollow } from './policies/secrets.ts'
import { configured, pooled } from './policies/settings.ts'
import { renderAll } from './render.ts'

const policies: Readonly<Record<string, Policy>> = {
  probed,
  bounded,
  restricted,
  pinned,
  graceful,
  spread,
  secretsAreFiles,
  secretsFollow,
  secretsAreOwn,
  configured,
  pooled,
  selectorsMatch,
  scaled,
  published,
  scraped,
}

const renderings = await renderAll()

for (const { name, objects } of renderings) {
  t.test(`${name}: keeps every policy`, async (t) => {
    for (const [rule, policy] of Object.entries(policies)) t.strictSame(policy(objects), [], rule)
  })
}

/** What is wrong, by whose policy, how it is brought about, and what is said of it. */
const mistakes: readonly [string, Policy, (objects: KubeObject[]) => unknown, RegExp][] = [
  ['no startup probe', probed, (o) => delete container(o).startupProbe, /auth.*lacks a probe/],
  ['readiness that asks the database', probed, (o) => (probe(o).path = '/readyz'), /readiness/],
  ['a port without its name', probed, (o) => delete container(o).ports, /no port http/],
  ['no limit of memory', bounded, (o) => delete container(o).resources?.limits?.memory, /no limit/],
  [
    'no request of CPU',
    bounded,
    (o) => delete container(o).resources?.requests?.cpu,
    /requests no/,
  ],
  ['root', restricted, (o) => (pod(o).securityContext = {}), /may run as root/],
  [
    'user 0',
    restricted,
    (o) => Object.assign(pod(o).securityContext ?? {}, { runAsUser: 0 }),
    /root/,
  ],
  [
    'a writable image',
    restricted,
    (o) => (context(o).readOnlyRootFilesystem = false),
    /write to its/,
  ],
  ['capabilities', restricted, (o) => delete context(o).capabilities, /keeps capabilities/],
  ['privilege escalation', restricted, (o) => delete context(o).allowPrivilegeEscalation, /gain/],
  ['an API token', restricted, (o) => delete pod(o).automountServiceAccountToken, /holds a token/],
  [
    'a path of the host',
    restricted,
    (o) => addVolume(o, { hostPath: { path: '/' } }),
    /of the host/,
  ],
  ['latest', pinned, (o) => (container(o).image = 'latchkey/auth:latest'), /not pinned/],
  ['no tag', pinned, (o) => (container(o).image = 'host:5000/latchkey/auth'), /not pinned/],
  ['too short a grace', graceful, (o) => (pod(o).terminationGracePeriodSeconds = 20), /needs 25 s/],
  ['a longer drain', graceful, (o) => (settings(o).LATCHKEY_DRAIN_SECONDS = '60'), /needs 75 s/],
  ['fewer pods in an update', graceful, (o) => delete deployment(o).strategy, /lessen/],
  ['no spread', spread, (o) => delete pod(o).topologySpreadConstraints, /not spread over/],
  ['a Secret', secretsAreFiles, (o) => o.push({ ...secret }), /is in git/],
  [
    'a URL with a password',
    secretsAreFiles,
    (o) => (settings(o).X = 'http://a:b@c'),
    /ConfigMap.*X/,
  ],
  ['a database URL', secretsAreFiles, (o) => env(o, 'LATCHKEY_DATABASE_URL', 'x'), /environment/],
  ['a password', secretsAreFiles, (o) => env(o, 'PGPASSWORD', 'x'), /environment/],
  ['a Secret as environment', secretsAreFiles, (o) => addSecretEnvironment(o), /environment/],
  ['subPath', secretsFollow, (o) => (mount(o).subPath = 'url'), /by subPath/],
  ['a wrong path', secretsFollow, (o) => (mount(o).mountPath = '/run/x'), /nothing is mounted at/],
  [
    'a file for all to read',
    secretsFollow,
    (o) => delete volume(o).secret?.defaultMode,
    /all may read/,
  ],
  ['another’s database', secretsAreOwn, (o) => setSecret(o, 'auth-database'), /orders: holds/],
  ['the refresh key', secretsAreOwn, (o) => setSecret(o, 'latchkey-keys'), /orders: holds/],
  ['an unknown setting', configured, (o) => env(o, 'LATCHKEY_ISSUR', 'x'), /ISSUR is no setting/],
  ['a missing setting', configured, (o) => delete settings(o).LATCHKEY_ISSUER, /ISSUER is not set/],
  ['a wrong setting', configured, (o) => (settings(o).LATCHKEY_PORT = 'http'), /LATCHKEY_PORT/],
  ['a pool too large', pooled, (o) => (settings(o).LATCHKEY_DATABASE_POOL_MAX = '90'), /wanted/],
  ['a selector of nothing', selectorsMatch, (o) => relabel(o), /selects no pods/],
  ['stickiness', selectorsMatch, (o) => (service(o).sessionAffinity = 'ClientIP'), /stick/],
  ['an unknown port', selectorsMatch, (o) => (port(o).targetPort = 'web'), /no port web/],
  ['fixed replicas', scaled, (o) => (deployment(o).replicas = 2), /undo/],
  ['no autoscaler', scaled, (o) => remove(o, 'HorizontalPodAutoscaler'), /may run alone/],
  ['no disruption budget', scaled, (o) => remove(o, 'PodDisruptionBudget'), /no disruption/],
  ['an autoscaler of nothing', scaled, (o) => remove(o, 'Deployment'), /scales nothing/],
  ['metrics in public', published, (o) => (path(o).path = '/auth'), /publishes \/metrics/],
  ['a whole service', published, (o) => (path(o).path = '/auth/'), /publishes \/readyz/],
  ['another’s prefix', published, (o) => (path(o).path = '/orders/v1'), /reaches auth as it is/],
  ['no TLS', published, (o) => delete ingress(o).tls, /without TLS/],
  ['no prefix taken off', published, (o) => remove(o, 'Middleware'), /middleware is missing/],
  ['no Service behind', published, (o) => remove(o, 'Service'), /no Service/],
  ['no Service to scrape', scraped, (o) => remove(o, 'Service'), /not scraped/],
  ['no port to scrape', scraped, (o) => (port(o).name = 'web'), /no port http/],
]

t.test('each policy is able to fail', async (t) => {
  const whole = renderings.at(-1)?.objects ?? []
  for (const [mistake, policy, make, said] of mistakes) {
    const objects = structuredClone(whole)
    make(objects)
    t.match(policy(objects).join('\n'), said, mistake)
  }
  const tried = new Set(mistakes.map(([, policy]) => policy))
  t.strictSame(
    Object.keys(policies).filter((name) => !tried.has(policies[name] as Policy)),
    [],
  )
})

const first = <T>(list: readonly T[] | null | undefined): T => {
  const [item] = list ?? []
  if (item === undefined) throw new Error('nothing there to spoil')
  return item
}
const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' } }
const deployment = (o: KubeObject[]) => first(ofKind(o, 'Deployment')).spec ?? first([])
const pod = (o: KubeObject[]) => deployment(o).template.spec ?? first([])
const container = (o: KubeObject[]) => first(pod(o).containers)
const probe = (o: KubeObject[]) => container(o).readinessProbe?.httpGet ?? first([])
const context = (o: KubeObject[]) => container(o).securityContext ?? first([])
const volume = (o: KubeObject[]) => first(pod(o).volumes)
const mount = (o: KubeObject[]) => first(container(o).volumeMounts?.slice(1))
const settings = (o: KubeObject[]) => first(ofKind(o, 'ConfigMap')).data ?? first([])
const service = (o: KubeObject[]) => first(ofKind(o, 'Service')).spec ?? first([])
const port = (o: KubeObject[]) => first(service(o).ports)
const ingress = (o: KubeObject[]) => first(ofKind(o, 'Ingress')).spec ?? first([])
const path = (o: KubeObject[]) => first(first(ingress(o).rules).http?.paths)
const env = (o: KubeObject[], name: string, value: string) =>
  container(o).env?.push({ name, value })
const addVolume = (o: KubeObject[], source: object) =>
  pod(o).volumes?.push({ name: 'x', ...source })
const addSecretEnvironment = (o: KubeObject[]) =>
  container(o).envFrom?.push({ secretRef: { name: 'latchkey-keys' } })
const relabel = (o: KubeObject[]) => {
  deployment(o).selector = { matchLabels: { 'app.kubernetes.io/name': 'authn' } }
}
const setSecret = (o: KubeObject[], secretName: string) => {
  const orders = ofKind(o, 'Deployment').find(({ metadata }) => metadata?.name === 'orders')
  first(orders?.spec?.template.spec?.volumes).secret = { secretName }
}
const remove = (o: KubeObject[], kind: string) => {
  o.splice(0, o.length, ...o.filter((object) => object.kind !== kind))
}
