import t from 'tap'
import type { Json, KubeObject, Objects } from './objects.ts'
import * as backups from './policies/backups.ts'
import { blameless, encrypted, published, publishedOnce } from './policies/edge.ts'
import { migrates } from './policies/migrations.ts'
import * as pods from './policies/pods.ts'
import * as references from './policies/references.ts'
import * as secrets from './policies/secrets.ts'
import * as settings from './policies/settings.ts'
import * as sizes from './policies/sizes.ts'
import { findPublished } from './publications.ts'
import { renderAll } from './render.ts'

const edge = { blameless, encrypted, published, publishedOnce }
const workloads = { ...pods, ...secrets, ...settings, ...sizes, migrates }
const policies = { ...workloads, ...references, ...edge, ...backups }
const renderings = renderAll()

for (const { name, objects } of renderings) {
  t.test(`${name}: complies with every policy`, async (t) => {
    for (const [rule, policy] of Object.entries(policies)) t.strictSame(policy(objects), [], rule)
  })
}

/** Sets, adds or deletes what a path such as `Deployment auth pod.volumes` names. */
function spoil(objects: KubeObject[], target: string, value: unknown) {
  const [kind, name, path] = target.split(' ')
  if (!path) return value ? objects.push(value as KubeObject) : removeKind(objects, kind)
  const pod = 'spec.template.spec'
  const keys = path.replace('container', `${pod}.containers.0`).replace(/^pod/, pod).split('.')
  const last = keys.pop() as string
  const object = objects.find((one) => one.kind === kind && one.metadata.name.startsWith(name))
  const parent = keys.reduce((value: Json, key) => value[key], object)
  if (value === undefined) delete parent[last]
  else if (Array.isArray(parent[last])) parent[last].push(value)
  else parent[last] = value
}

const removeKind = (objects: KubeObject[], kind = '') =>
  objects.splice(0, objects.length, ...objects.filter((one) => one.kind !== kind))

type Mistake = [string, keyof typeof policies, target: string, value: unknown, RegExp]

// biome-ignore format: a table
const mistakes: Mistake[] = [
  ['no startup probe', 'probed', 'Deployment auth container.startupProbe', undefined, /auth.*startupProbe is undefined/],
  ['readiness that asks the database', 'probed', 'Deployment auth container.readinessProbe.httpGet.path', '/readyz', /readinessProbe httpGet path is/],
  ['a port without its name', 'probed', 'Deployment auth container.ports', undefined, /ports is undefined/],
  ['no memory limit', 'bounded', 'Deployment auth container.resources.limits.memory', undefined, /limits memory is undefined/],
  ['no CPU request', 'bounded', 'Deployment auth container.resources.requests.cpu', undefined, /requests cpu is undefined/],
  ['root', 'restricted', 'Deployment auth pod.securityContext', {}, /runAsNonRoot is undefined/],
  ['user 0', 'restricted', 'Deployment auth pod.securityContext.runAsUser', 0, /runAsUser is 0/],
  ['a writable image', 'restricted', 'Deployment auth container.securityContext.readOnlyRootFilesystem', false, /readOnlyRootFilesystem is false/],
  ['capabilities', 'restricted', 'Deployment auth container.securityContext.capabilities', undefined, /capabilities drop is undefined/],
  ['privilege escalation', 'restricted', 'Deployment auth container.securityContext.allowPrivilegeEscalation', undefined, /allowPrivilegeEscalation is undefined/],
  ['an API token', 'restricted', 'Deployment auth pod.automountServiceAccountToken', undefined, /automountServiceAccountToken is undefined/],
  ['service links', 'restricted', 'Deployment auth pod.enableServiceLinks', undefined, /enableServiceLinks is undefined/],
  ['a path of the host', 'restricted', 'Deployment auth pod.volumes', { name: 'x', hostPath: { path: '/' } }, /volumes is .*hostPath/],
  ['latest', 'pinned', 'Deployment auth container.image', 'latchkey/auth:latest', /image is "latchkey/],
  ['a tag that moves', 'pinned', 'Deployment auth container.image', 'latchkey/auth:1', /image is "latchkey/],
  ['no tag', 'pinned', 'Deployment auth container.image', 'host:5000/latchkey/auth', /image is "host/],
  ['too short a grace', 'graceful', 'Deployment auth pod.terminationGracePeriodSeconds', 20, /needs 25 s/],
  ['a longer drain', 'graceful', 'ConfigMap latchkey-settings data.LATCHKEY_DRAIN_SECONDS', '60', /needs 75 s/],
  ['fewer pods in an update', 'graceful', 'Deployment auth spec.strategy', undefined, /maxUnavailable is undefined/],
  ['no spread', 'spread', 'Deployment auth pod.topologySpreadConstraints', undefined, /topologySpreadConstraints is undefined/],
  ['a Secret', 'secretsAreFiles', 'Secret', { kind: 'Secret', metadata: { name: 'x' } }, /is in git/],
  ['a URL with a password', 'secretsAreFiles', 'ConfigMap latchkey-settings data.X', 'http://a:b@c', /ConfigMap data is .*X/],
  ['a database URL', 'secretsAreFiles', 'Deployment auth container.env', { name: 'LATCHKEY_DATABASE_URL', value: 'x' }, /container env is/],
  ['an SMTP URL', 'secretsAreFiles', 'Deployment auth container.env', { name: 'LATCHKEY_SMTP_URL', value: 'x' }, /container env is/],
  ['a password', 'secretsAreFiles', 'Deployment auth container.env', { name: 'PGPASSWORD', value: 'x' }, /container env is/],
  ['a Secret as environment', 'secretsAreFiles', 'Deployment auth container.envFrom', { secretRef: { name: 'x' } }, /container envFrom is/],
  ['a Secret as a variable', 'secretsAreFiles', 'Deployment auth container.env', { name: 'X', valueFrom: { secretKeyRef: {} } }, /container env is/],
  ['a secret as an argument', 'secretsAreFiles', 'Deployment auth container.args', ['http://a:b@c'], /container args is/],
  ['subPath', 'secretsFollow', 'Deployment auth container.volumeMounts.1.subPath', 'url', /volumeMounts is .*subPath/],
  ['a wrong path', 'secretsFollow', 'Deployment auth container.volumeMounts.1.mountPath', '/run/x', /nothing is mounted at/],
  ['a world-readable file', 'secretsFollow', 'Deployment auth pod.volumes.0.secret.defaultMode', undefined, /pod volumes is/],
  ['another service’s database', 'secretsAreOwn', 'Deployment orders pod.volumes.0.secret.secretName', 'auth-database', /orders: has auth-d/],
  ['the refresh key', 'secretsAreOwn', 'Deployment orders pod.volumes.0.secret.secretName', 'latchkey-keys', /orders: has latchkey-keys/],
  ['the SMTP server of auth', 'secretsAreOwn', 'Deployment billing pod.volumes', { name: 'smtp', secret: { secretName: 'auth-smtp' } }, /billing: has auth-smtp/],
  ['an unknown setting', 'configured', 'Deployment auth container.env', { name: 'LATCHKEY_ISSUR', value: 'x' }, /ISSUR is not a setting/],
  ['a missing setting', 'configured', 'ConfigMap latchkey-settings data.LATCHKEY_ISSUER', undefined, /LATCHKEY_ISSUER/],
  ['a wrong setting', 'configured', 'ConfigMap latchkey-settings data.LATCHKEY_PORT', 'http', /LATCHKEY_PORT/],
  ['a pod from another range', 'proxied', 'ConfigMap latchkey-settings data.LATCHKEY_TRUST_PROXY', 'uniquelocal', /LATCHKEY_TRUST_PROXY is/],
  ['too little memory', 'roomy', 'Deployment auth container.resources.requests.memory', '128Mi', /auth: requests less than 480000000/],
  ['memory for one hash less', 'roomy', 'Deployment auth container.resources.limits.memory', '512Mi', /no memory in reserve/],
  ['too little memory at rest', 'roomy', 'Deployment orders container.resources.requests.memory', '96Mi', /orders: requests less/],
  ['few pods for a small request', 'scalesInTime', 'Deployment auth container.resources.requests.cpu', '250m', /10 pods do less than 3 busy ones/],
  ['a target near saturation', 'scalesInTime', 'Deployment auth container.resources.requests.cpu', '2', /aims at 1.4 of 2/],
  ['a migration named once for all', 'migrates', 'Job auth metadata.name', 'auth-migration', /migrations are/],
  ['another version of the image', 'migrates', 'Deployment auth container.image', 'latchkey/auth:0.2.0', /auth-migration-0.1.0.* instead of/],
  ['a migration that Argo CD runs once', 'migrates', 'Job auth metadata.annotations', undefined, /hook is undefined/],
  ['a migration that stays', 'migrates', 'Job auth spec.ttlSecondsAfterFinished', undefined, /ttlSecondsAfterFinished is/],
  ['servers before migrations', 'migrates', 'Deployment auth metadata.annotations', undefined, /waits for what needs/],
  ['an Ingress before servers', 'migrates', 'Ingress latchkey metadata.annotations', undefined, /waits for what needs/],
  ['no backup', 'backedUp', 'ScheduledBackup', undefined, /scheduled backups are of/],
  ['no kind of snapshots', 'backedUp', 'Cluster auth spec.backup', undefined, /className is undefined/],
  ['a snapshot without its WAL', 'backedUp', 'Cluster auth spec.backup.volumeSnapshot.online', true, /online is true/],
  ['a suspended backup', 'backedUp', 'ScheduledBackup auth spec.suspend', true, /suspend is true/],
  ['a pool that is too large', 'pooled', 'ConfigMap latchkey-settings data.LATCHKEY_DATABASE_POOL_MAX', '90', /needs 1000 connections of/],
  ['a selector of nothing', 'selectorsMatch', 'Deployment auth spec.selector.matchLabels', { x: 'y' }, /Deployment selects: .*instead of auth/],
  ['sticky sessions', 'selectorsMatch', 'Service auth spec.sessionAffinity', 'ClientIP', /sticky/],
  ['an unknown port', 'selectorsMatch', 'Service auth spec.ports.0.targetPort', 'web', /no pod has/],
  ['fixed replicas', 'scaled', 'Deployment auth spec.replicas', 2, /replicas is 2/],
  ['no autoscaler', 'scaled', 'HorizontalPodAutoscaler', undefined, /autoscalers scale/],
  ['no disruption budget', 'scaled', 'PodDisruptionBudget', undefined, /budgets protect/],
  ['an autoscaler of nothing', 'scaled', 'Deployment', undefined, /autoscalers scale/],
  ['public metrics', 'published', 'Ingress latchkey spec.rules.0.http.paths.0.path', '/auth', /publishes \/metrics/],
  ['a whole service', 'published', 'Ingress latchkey spec.rules.0.http.paths.0.path', '/auth/', /publishes .*\/readyz/],
  ['another service’s prefix', 'published', 'Ingress latchkey spec.rules.0.http.paths.0.path', '/orders/v1', /reaches auth unstripped/],
  ['all of /v1 of auth', 'published', 'Ingress latchkey spec.rules.0.http.paths.0.path', '/auth/v1', /publishes \/v1\/admin,\/v1\/revocations,\/v1\/keys/],
  ['a part of an inward path', 'published', 'Ingress latchkey spec.rules.0.http.paths.0.path', '/auth/v1/keys/status', /publishes \/v1\/keys/],
  ['text that begins an inward path', 'published', 'Ingress latchkey spec.rules.0.http.paths.0.path', '/auth/v1/rev', /publishes \/v1\/revocations/],
  ['a route to all of /v1', 'published', 'HTTPRoute auth spec.rules.0.filters.0.urlRewrite.path.replacePrefixMatch', '/v1', /publishes \/v1\/admin/],
  ['a route without a path', 'published', 'HTTPRoute orders spec.rules.0.matches', undefined, /reaches orders unstripped/],
  ['a path of a page that is not one', 'published', 'Ingress orders spec.rules.0.http.paths.0.path', '/metrics', /is not a page of orders.*\/metrics/s],
  ['all of a service at the host of its pages', 'published', 'HTTPRoute orders-pages spec.rules.0.matches', undefined, /is not a page of orders/],
  ['the pages of another service', 'published', 'Ingress orders spec.rules.0.host', 'billing.example.com', /is not a page of billing/],
  ['another host', 'publishedOnce', 'HTTPRoute redirect spec.hostnames.0', 'x.test', /in no setting/],
  ['another host of pages', 'publishedOnce', 'ConfigMap latchkey-apps data.orders', 'https://x.test', /publishes nothing at x.test/],
  ['nothing public', 'publishedOnce', 'Ingress latchkey spec.rules', undefined, /publishes nothing/],
  ['two edges', 'publishedOnce', 'HTTPRoute', { kind: 'HTTPRoute', metadata: {}, spec: { rules: [{ backendRefs: [{}] }] } }, /by Ingress and by HTTPRoute/],
  ['no TLS', 'encrypted', 'Ingress latchkey spec.tls', undefined, /without TLS/],
  ['no middleware', 'encrypted', 'Middleware', undefined, /middleware is missing/],
  ['no redirect', 'encrypted', 'Ingress latchkey-redirect spec.rules', undefined, /not redirected/],
  ['publishing by plain HTTP', 'encrypted', 'Ingress latchkey metadata.annotations', undefined, /without TLS/],
  ['redirecting HTTPS', 'encrypted', 'Middleware to-https spec.redirectScheme.scheme', 'http', /without TLS/],
  ['a route for plain HTTP', 'encrypted', 'HTTPRoute auth spec.parentRefs.0.sectionName', undefined, /http: publishes without TLS/],
  ['a listener without a redirect', 'encrypted', 'HTTPRoute redirect spec.rules', undefined, /does not redirect/],
  ['a listener without a certificate', 'encrypted', 'Gateway latchkey spec.listeners.1.tls', undefined, /https: publishes without TLS/],
  ['a circuit breaker', 'blameless', 'Middleware retry spec.circuitBreaker', {}, /circuit breaker/],
  ['a retry by status', 'blameless', 'Middleware retry spec.retry.status', ['500-599'], /repeats requests/],
  ['a health check by requests', 'blameless', 'Service auth metadata.annotations', { 'traefik.ingress.kubernetes.io/service.passivehealthcheck.maxfailedattempts': '1' }, /passive health check/],
  ['a route that repeats', 'blameless', 'HTTPRoute orders spec.rules.0.retry', { codes: [500] }, /repeats requests/],
  ['no Service to reach', 'published', 'Service', undefined, /no Service/],
  ['no Service to scrape', 'scraped', 'Service', undefined, /Prometheus scrapes/],
  ['no port to scrape', 'scraped', 'Service auth spec.ports.0.name', 'web', /port that is missing/],
]

t.test('each policy fails when it is violated', async (t) => {
  for (const [mistake, name, target, value, expected] of mistakes) {
    const [kind] = target.split(' ')
    const has = ({ objects }: { objects: Objects }) => objects.some((one) => one.kind === kind)
    const isNew = typeof value === 'object' && target === kind
    const rendering = (!isNew && renderings.findLast(has)) || renderings.at(-1)
    const objects = structuredClone(rendering?.objects ?? []) as KubeObject[]
    spoil(objects, target, value)
    t.match(policies[name](objects).join('\n'), expected, mistake)
  }
  t.strictSame(new Set(mistakes.map(([, name]) => name)), new Set(Object.keys(policies)))
})

t.test('the Gateway publishes what the Ingress publishes', async (t) => {
  const paths = (objects: KubeObject[]) =>
    findPublished(objects).map(
      ({ host, service, path, isExact }) => `${service} ${host}${path} ${isExact}`,
    )
  for (const overlay of ['dev', 'production']) {
    const ingress = renderings.find(({ name }) => name === overlay)
    const gateway = renderings.find(({ name }) => name === `${overlay} + gateway-api`)
    t.strictSame(new Set(paths(gateway?.objects ?? [])), new Set(paths(ingress?.objects ?? [])))
  }
})
