import t from 'tap'
import { find, type KubeObject, ofKind } from './objects.ts'
import * as pods from './policies/pods.ts'
import * as references from './policies/references.ts'
import * as secrets from './policies/secrets.ts'
import * as settings from './policies/settings.ts'
import { renderAll } from './render.ts'

const policies = { ...pods, ...references, ...secrets, ...settings }
const renderings = renderAll()

for (const { name, objects } of renderings) {
  t.test(`${name}: complies with every policy`, async (t) => {
    for (const [rule, policy] of Object.entries(policies)) t.strictSame(policy(objects), [], rule)
  })
}

/** The parts of the objects that mistakes change. */
function partsOf(objects: KubeObject[]) {
  const { spec: deployment } = find(objects, 'Deployment', 'auth')
  const { spec: service } = find(objects, 'Service', 'auth')
  const { spec: ingress } = find(objects, 'Ingress', 'latchkey')
  const orders = find(objects, 'Deployment', 'orders').spec.template.spec
  const pod = deployment.template.spec
  const [container] = pod.containers
  return {
    ...{ objects, deployment, pod, container, service, ingress },
    settings: ofKind(objects, 'ConfigMap')[0]?.data,
    security: container.securityContext,
    port: service.ports[0],
    path: ingress.rules[0].http.paths[0],
    ordersSecret: orders.volumes[0].secret,
    setEnv: (name: string, value: string) => container.env.push({ name, value }),
    remove: (kind: string) => {
      objects.splice(0, objects.length, ...objects.filter((one) => one.kind !== kind))
    },
  }
}

type Mistake = [
  string,
  keyof typeof policies,
  (parts: ReturnType<typeof partsOf>) => unknown,
  RegExp,
]

// biome-ignore format: a table
const mistakes: Mistake[] = [
  ['no startup probe', 'probed', (o) => delete o.container.startupProbe, /auth.*startupProbe is undefined/],
  ['readiness that asks the database', 'probed', (o) => (o.container.readinessProbe.httpGet.path = '/readyz'), /readinessProbe httpGet path is/],
  ['a port without its name', 'probed', (o) => delete o.container.ports, /ports is undefined/],
  ['no memory limit', 'bounded', (o) => delete o.container.resources.limits.memory, /limits memory is undefined/],
  ['no CPU request', 'bounded', (o) => delete o.container.resources.requests.cpu, /requests cpu is undefined/],
  ['root', 'restricted', (o) => (o.pod.securityContext = {}), /runAsNonRoot is undefined/],
  ['user 0', 'restricted', (o) => (o.pod.securityContext.runAsUser = 0), /runAsUser is 0/],
  ['a writable image', 'restricted', (o) => (o.security.readOnlyRootFilesystem = false), /readOnlyRootFilesystem is false/],
  ['capabilities', 'restricted', (o) => delete o.security.capabilities, /capabilities drop is undefined/],
  ['privilege escalation', 'restricted', (o) => delete o.security.allowPrivilegeEscalation, /allowPrivilegeEscalation is undefined/],
  ['an API token', 'restricted', (o) => delete o.pod.automountServiceAccountToken, /automountServiceAccountToken is undefined/],
  ['a path of the host', 'restricted', (o) => o.pod.volumes.push({ name: 'x', hostPath: { path: '/' } }), /volumes is .*hostPath/],
  ['latest', 'pinned', (o) => (o.container.image = 'latchkey/auth:latest'), /image is "latchkey/],
  ['no tag', 'pinned', (o) => (o.container.image = 'host:5000/latchkey/auth'), /image is "host/],
  ['too short a grace', 'graceful', (o) => (o.pod.terminationGracePeriodSeconds = 20), /needs 25 s/],
  ['a longer drain', 'graceful', (o) => (o.settings.LATCHKEY_DRAIN_SECONDS = '60'), /needs 75 s/],
  ['fewer pods in an update', 'graceful', (o) => delete o.deployment.strategy, /maxUnavailable is undefined/],
  ['no spread', 'spread', (o) => delete o.pod.topologySpreadConstraints, /topologySpreadConstraints is undefined/],
  ['a Secret', 'secretsAreFiles', (o) => o.objects.push({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' } }), /is in git/],
  ['a URL with a password', 'secretsAreFiles', (o) => (o.settings.X = 'http://a:b@c'), /ConfigMap.*X/],
  ['a database URL', 'secretsAreFiles', (o) => o.setEnv('LATCHKEY_DATABASE_URL', 'x'), /in the environment/],
  ['a password', 'secretsAreFiles', (o) => o.setEnv('PGPASSWORD', 'x'), /in the environment/],
  ['a Secret as environment', 'secretsAreFiles', (o) => o.container.envFrom.push({ secretRef: { name: 'x' } }), /in the environment/],
  ['a secret as an argument', 'secretsAreFiles', (o) => (o.container.args = ['http://a:b@c']), /in a command/],
  ['subPath', 'secretsFollow', (o) => (o.container.volumeMounts[1].subPath = 'url'), /by subPath/],
  ['a wrong path', 'secretsFollow', (o) => (o.container.volumeMounts[1].mountPath = '/run/x'), /has nothing mounted/],
  ['a world-readable file', 'secretsFollow', (o) => delete o.pod.volumes[0].secret.defaultMode, /world-readable/],
  ['another service’s database', 'secretsAreOwn', (o) => (o.ordersSecret.secretName = 'auth-database'), /orders: has auth-d/],
  ['the refresh key', 'secretsAreOwn', (o) => (o.ordersSecret.secretName = 'latchkey-keys'), /orders: has latchkey-keys/],
  ['an unknown setting', 'configured', (o) => o.setEnv('LATCHKEY_ISSUR', 'x'), /ISSUR is not a setting/],
  ['a missing setting', 'configured', (o) => delete o.settings.LATCHKEY_ISSUER, /LATCHKEY_ISSUER/],
  ['a wrong setting', 'configured', (o) => (o.settings.LATCHKEY_PORT = 'http'), /LATCHKEY_PORT/],
  ['a pool that is too large', 'pooled', (o) => (o.settings.LATCHKEY_DATABASE_POOL_MAX = '90'), /needs 1000 connections of/],
  ['a selector of nothing', 'selectorsMatch', (o) => (o.deployment.selector.matchLabels = { x: 'y' }), /Deployment selects: .*instead of auth/],
  ['sticky sessions', 'selectorsMatch', (o) => (o.service.sessionAffinity = 'ClientIP'), /sticky/],
  ['an unknown port', 'selectorsMatch', (o) => (o.port.targetPort = 'web'), /no pod has/],
  ['fixed replicas', 'scaled', (o) => (o.deployment.replicas = 2), /replicas is 2/],
  ['no autoscaler', 'scaled', (o) => o.remove('HorizontalPodAutoscaler'), /autoscalers scale/],
  ['no disruption budget', 'scaled', (o) => o.remove('PodDisruptionBudget'), /budgets protect/],
  ['an autoscaler of nothing', 'scaled', (o) => o.remove('Deployment'), /autoscalers scale/],
  ['public metrics', 'published', (o) => (o.path.path = '/auth'), /publishes \/metrics/],
  ['a whole service', 'published', (o) => (o.path.path = '/auth/'), /publishes .*\/readyz/],
  ['another service’s prefix', 'published', (o) => (o.path.path = '/orders/v1'), /reaches auth unstripped/],
  ['no TLS', 'published', (o) => delete o.ingress.tls, /without TLS/],
  ['an unstripped prefix', 'published', (o) => o.remove('Middleware'), /middleware is missing/],
  ['no Service to reach', 'published', (o) => o.remove('Service'), /no Service/],
  ['no Service to scrape', 'scraped', (o) => o.remove('Service'), /Prometheus scrapes/],
  ['no port to scrape', 'scraped', (o) => (o.port.name = 'web'), /port that is missing/],
]

t.test('each policy fails when it is violated', async (t) => {
  for (const [mistake, name, make, expected] of mistakes) {
    const objects = structuredClone(renderings.at(-1)?.objects ?? [])
    make(partsOf(objects))
    t.match(policies[name](objects).join('\n'), expected, mistake)
  }
  t.strictSame(new Set(mistakes.map(([, name]) => name)), new Set(Object.keys(policies)))
})
