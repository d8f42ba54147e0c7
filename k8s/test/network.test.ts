import t from 'tap'
import { list, type Objects, ofKind, podsOf, services } from './objects.ts'
import { mayReach, type Party } from './reach.ts'
import { renderAll } from './render.ts'

const renderings = renderAll()
const latchkey = (labels: Party['labels']): Party => ({ namespace: 'latchkey', labels })
const other = (namespace: string, name: string, component = ''): Party => {
  const labels = { 'app.kubernetes.io/name': name, 'app.kubernetes.io/component': component }
  return { namespace, labels }
}

/** Pods outside Latchkey, and pods that must not be mistaken for its own. */
const others = {
  'ingress controller': other('traefik', 'traefik'),
  'neighbour of the ingress controller': other('traefik', 'debug'),
  prometheus: other('monitoring', 'prometheus'),
  grafana: other('monitoring', 'grafana'),
  collector: other('monitoring', 'opentelemetry-collector'),
  'postgres operator': other('cnpg-system', 'cloudnative-pg'),
  'namesake elsewhere': other('default', 'auth', 'server'),
  'stranger in the namespace': latchkey({ app: 'x' }),
  dns: { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } },
  'dns of the chart': other('kube-system', 'coredns'),
  'dns of the node': { namespace: undefined, labels: {}, address: '169.254.20.10' },
  'dns of OpenShift': {
    namespace: 'openshift-dns',
    labels: { 'dns.operator.openshift.io/daemonset-dns': 'default' },
  },
  'address outside': { namespace: undefined, labels: {}, address: '203.0.113.7' },
}

function partiesOf(objects: Objects): Record<string, Party> {
  const pods = podsOf(objects).map(({ kind, name, labels }) => {
    return [kind === 'Job' ? name.replace(/-[^-]+$/, '') : name, latchkey(labels)]
  })
  const clusters = ofKind(objects, 'Cluster').map(({ metadata: { name }, spec }) => {
    const { labels } = spec.inheritedMetadata
    return [name, latchkey({ ...labels, 'cnpg.io/cluster': name })]
  })
  return { ...Object.fromEntries([...pods, ...clusters]), ...others }
}

/** The services that call a service. Those that call auth poll its revocation feed. */
const callers: Record<string, string[]> = {
  auth: services.filter((service) => service !== 'auth'),
  orders: ['billing'],
}

/** A cluster has one of these. */
const dnsPorts = [
  ...['dns 53/UDP', 'dns 53/TCP', 'dns of the chart 53/UDP', 'dns of the node 53/UDP'],
  ...['dns of OpenShift 5353/UDP', 'dns of OpenShift 5353/TCP'],
]

type Rendering = (typeof renderings)[number]

/** Everything that may reach a port of Latchkey, and every port that Latchkey may reach. */
function expectedReachers({ objects, components }: Rendering): Record<string, string[]> {
  const parties = partiesOf(objects)
  const clusters = ofKind(objects, 'Cluster').map(({ metadata }) => metadata.name)
  const monitors = components.includes('prometheus-operator') ? ['prometheus'] : []
  const ours = Object.keys(parties).filter((name) => parties[name]?.namespace === 'latchkey')
  const expected: Record<string, string[]> = {
    ...Object.fromEntries(dnsPorts.map((target) => [target, ours])),
    'dns 5353/UDP': [],
    'dns of the node 80/TCP': [],
    'collector 4318/TCP': components.includes('opentelemetry') ? services : [],
  }
  for (const port of [22, 80, 5432]) expected[`address outside ${port}/TCP`] = []
  for (const port of [443, 6443]) expected[`address outside ${port}/TCP`] = clusters
  for (const port of [25, 465, 587]) {
    expected[`address outside ${port}/TCP`] = components.includes('mail') ? ['auth'] : []
  }
  for (const service of services) {
    const database = `${service}-database`
    const operated = clusters.length > 0 ? [database, 'postgres operator'] : []
    const callersOf = callers[service] ?? []
    expected[`${service} 3000/TCP`] = ['ingress controller', ...callersOf, ...monitors]
    expected[`${database} 5432/TCP`] = [service, `${service}-migration`, ...operated]
  }
  return expected
}

function findReachers(objects: Objects, target: string): string[] {
  const [, name = '', port = ''] = /^(.*) (\S+)$/.exec(target) ?? []
  const parties = partiesOf(objects)
  const to = parties[name] as Party
  return Object.keys(parties).filter((sender) => {
    const from = parties[sender] as Party
    const isOurs = to.namespace === 'latchkey' || from.namespace === 'latchkey'
    const isOther = sender !== name || 'cnpg.io/cluster' in to.labels
    return isOurs && isOther && mayReach(objects, from, to, port)
  })
}

for (const rendering of renderings) {
  const { name, objects } = rendering
  t.test(`${name}: each port is reached by those that need it and no others`, async (t) => {
    for (const [target, reachers] of Object.entries(expectedReachers(rendering))) {
      // Without CloudNativePG, the databases of production are outside the cluster.
      if (target.includes('-database') && /^production(?!.*cloudnative-pg)/.test(name)) continue
      t.strictSame(findReachers(objects, target).sort(), reachers.sort(), target)
    }
  })
}

const database = 'auth-database 5432/TCP'
const policiesOfOrders = 'default-deny to-dns from-orders-to-database from-verifiers-to-auth'

// biome-ignore format: a table
const missing: [policies: string, target: string, sender: string, reaches: boolean][] = [
  ['auth-to-database', database, 'auth', false],
  ['from-auth-to-database', database, 'auth', false],
  ['from-billing-to-orders', 'orders 3000/TCP', 'billing', false],
  [`auth-to-database ${policiesOfOrders}`, database, 'orders', true],
]

t.test('a missing or too open policy changes what reaches what', async (t) => {
  const objects = renderings[0]?.objects ?? []
  for (const [names, target, sender, reaches] of missing) {
    const others = objects.filter(({ metadata }) => !names.split(' ').includes(metadata.name))
    t.equal(findReachers(others, target).includes(sender), reaches, names)
  }
  const opened = structuredClone(objects)
  const rules = ofKind(opened, 'NetworkPolicy').flatMap(({ spec }) => list(spec.ingress))
  for (const rule of rules) delete rule.from
  t.ok(findReachers(opened, 'auth 3000/TCP').includes('address outside'))
})
