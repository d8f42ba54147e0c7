import t from 'tap'
import { type KubeObject, ofKind, podsOf } from './objects.ts'
import { mayReach, type Party } from './reach.ts'
import { type Rendering, renderAll } from './render.ts'

const renderings = await renderAll()
const services = ['auth', 'orders', 'billing']

/** Everybody there is, by name: our workloads as rendered, and the others of a cluster. */
function partiesOf({ objects, components }: Rendering): Record<string, Party> {
  const ours = podsOf(objects).map(
    ({ name, labels }) => [name, { namespace: 'latchkey', labels }] as const,
  )
  const clusters = ofKind(objects, 'Cluster').map(({ metadata, spec }) => [
    metadata?.name ?? '',
    {
      namespace: 'latchkey',
      labels: {
        ...spec.inheritedMetadata?.labels,
        'cnpg.io/cluster': metadata?.name ?? '',
        'app.kubernetes.io/name': 'postgresql',
        'app.kubernetes.io/component': 'database',
      },
    },
  ])
  const pod = (namespace: string, name: string) => ({
    namespace,
    labels: { 'app.kubernetes.io/name': name },
  })
  return {
    ...Object.fromEntries(ours),
    ...Object.fromEntries(components.includes('cloudnative-pg') ? clusters : []),
    'ingress controller': pod('traefik', 'traefik'),
    'neighbour of the ingress controller': pod('traefik', 'debug'),
    prometheus: pod('monitoring', 'prometheus'),
    grafana: pod('monitoring', 'grafana'),
    collector: pod('monitoring', 'opentelemetry-collector'),
    'postgres operator': pod('cnpg-system', 'cloudnative-pg'),
    'stranger in the namespace': { namespace: 'latchkey', labels: { app: 'x' } },
    'namesake elsewhere': {
      namespace: 'default',
      labels: { 'app.kubernetes.io/name': 'auth', 'app.kubernetes.io/component': 'server' },
    },
    'address outside': { namespace: undefined, labels: {} },
  }
}

/** Who may reach a server's or a database's port: this, and nobody else. */
function expectedOf({ components }: Rendering): Record<string, string[]> {
  const watched = components.includes('prometheus-operator') ? ['prometheus'] : []
  const operated = components.includes('cloudnative-pg')
  return {
    auth: ['ingress controller', 'orders', 'billing', ...watched],
    orders: ['ingress controller', 'billing', ...watched],
    billing: ['ingress controller', ...watched],
    ...Object.fromEntries(
      services.map((service) => [
        `${service}-database`,
        [
          service,
          `${service}-migration`,
          ...(operated ? [`${service}-database`, 'postgres operator'] : []),
        ],
      ]),
    ),
  }
}

/** Who does reach it, by the rendered policies. */
function reachersOf(
  objects: readonly KubeObject[],
  parties: Record<string, Party>,
  target: string,
) {
  const port = target.endsWith('-database') ? 5432 : 3000
  const to = parties[target]
  if (!to) return undefined
  return Object.entries(parties)
    .filter(
      ([name, from]) => (name !== target || isCluster(from)) && mayReach(objects, from, to, port),
    )
    .map(([name]) => name)
}

/** The instances of one Postgres cluster meet each other. */
const isCluster = ({ labels }: Party) => 'cnpg.io/cluster' in labels

for (const rendering of renderings) {
  t.test(`${rendering.name}: these reach a server or a database, and nobody else`, async (t) => {
    const parties = partiesOf(rendering)
    for (const [target, expected] of Object.entries(expectedOf(rendering))) {
      const reachers = reachersOf(rendering.objects, parties, target)
      if (reachers) t.strictSame(reachers.sort(), expected.sort(), target)
      else t.notOk(rendering.components.includes('cloudnative-pg'), `${target} is elsewhere`)
    }
  })

  t.test(`${rendering.name}: names are resolved, and nothing calls out`, async (t) => {
    const dns = { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } }
    const outside = { namespace: undefined, labels: {} }
    const { objects } = rendering
    for (const { name, labels } of podsOf(objects)) {
      const from = { namespace: 'latchkey', labels }
      t.ok(mayReach(objects, from, dns, 53, 'UDP'), `${name} resolves names`)
      for (const port of [22, 80, 443, 5432, 6443]) {
        t.notOk(mayReach(objects, from, outside, port), `${name} does not call out to ${port}`)
      }
    }
  })
}

for (const rendering of renderings) {
  t.test(`${rendering.name}: traces go where they are wanted, from servers alone`, async (t) => {
    const { objects, components } = rendering
    const collector = partiesOf(rendering).collector as Party
    for (const { name, labels } of podsOf(objects)) {
      const isServer = labels['app.kubernetes.io/component'] === 'server'
      const reaches = mayReach(objects, { namespace: 'latchkey', labels }, collector, 4318)
      t.equal(reaches, isServer && components.includes('opentelemetry'), name)
    }
  })
}

t.test('a policy too many or too few changes who reaches whom', async (t) => {
  const [rendering] = renderings
  if (!rendering) return t.fail('nothing was rendered')
  const parties = partiesOf(rendering)
  const { objects } = rendering
  const without = (...names: string[]) =>
    objects.filter(
      ({ kind, metadata }) => kind !== 'NetworkPolicy' || !names.includes(metadata.name),
    )
  const opened = structuredClone(objects)
  for (const { spec } of ofKind(opened, 'NetworkPolicy')) {
    for (const rule of spec?.ingress ?? []) delete rule.from
  }

  t.notOk(reachersOf(without('auth-to-database'), parties, 'auth-database')?.includes('auth'))
  t.notOk(reachersOf(without('from-auth-to-database'), parties, 'auth-database')?.includes('auth'))
  t.notOk(reachersOf(without('from-billing-to-orders'), parties, 'orders')?.includes('billing'))
  t.ok(reachersOf(opened, parties, 'auth')?.includes('address outside'), 'a rule without peers')
  const own = ['default-deny', 'to-dns', 'from-orders-to-database', 'from-verifiers-to-auth']
  t.ok(
    reachersOf(without(...own, 'auth-to-database'), parties, 'auth-database')?.includes('orders'),
    'without policies orders reaches the users',
  )
})
