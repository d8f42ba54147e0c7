import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readBlocks } from '@latchkey/test-kit/guide'
import t from 'tap'
import { parse, parseAllDocuments, stringify } from 'yaml'
import {
  environmentOf,
  find,
  type KubeObject,
  type Objects,
  ofKind,
  podsOf,
  root,
} from './objects.ts'
import { restricted } from './policies/pods.ts'
import { mayReach } from './reach.ts'
import { renderOverlay } from './render.ts'
import { findSchemaProblems } from './schema.ts'

const [patches = '', manifests = ''] = readBlocks('docs/guides/add-your-own-service.md')
  .filter(({ section, language }) => section === 'Kubernetes' && language === 'yaml')
  .map(({ code }) => code)
const production = renderOverlay('production')
const shop: KubeObject[] = parseAllDocuments(manifests, { version: '1.1' }).map((one) => one.toJS())
const [{ pod, labels }] = podsOf(shop) as [ReturnType<typeof podsOf>[number]]

t.test('the patch of the guide adds the audience and nothing else', async (t) => {
  const copy = mkdtempSync(join(tmpdir(), 'latchkey-k8s-'))
  t.teardown(() => rmSync(copy, { recursive: true }))
  for (const folder of ['base', 'components', 'overlays/production']) {
    cpSync(join(root, 'k8s', folder), join(copy, folder), { recursive: true })
  }
  const file = join(copy, 'overlays/production/kustomization.yaml')
  const overlay = parse(readFileSync(file, 'utf8'))
  overlay.patches.push(...parse(patches).patches)
  writeFileSync(file, stringify(overlay))
  const environment = (objects: Objects) =>
    environmentOf(objects, find(objects, 'Deployment', 'auth').spec.template.spec)
  t.strictSame(environment(renderOverlay('production', copy)), {
    ...environment(production),
    LATCHKEY_AUDIENCES: `${environment(production).LATCHKEY_AUDIENCES} shop`,
  })
})

t.test('the service is valid, and meets the restricted standard', async (t) => {
  t.strictSame((await Promise.all(shop.map(findSchemaProblems))).flat(), [])
  t.strictSame(restricted(shop), [])
  const [service] = ofKind(shop, 'Service')
  t.strictSame(service?.spec.selector, find(shop, 'Deployment', 'shop').spec.selector.matchLabels)
  t.match(labels, service?.spec.selector)
})

t.test('the service has the settings of orders, and may reach auth alone', async (t) => {
  const orders = podsOf(production).find(({ where }) => where === 'Deployment orders')
  const { HOST, ...ours } = environmentOf(shop, pod)
  t.match(environmentOf(production, orders?.pod), ours)
  t.equal(HOST, '0.0.0.0')
  const keys = (volumes: KubeObject[]) => volumes.find(({ name }) => name === 'keys')
  const volume = JSON.stringify(keys(orders?.pod.volumes)).replace('orders-keys', 'shop-keys')
  t.strictSame(keys(pod.volumes), JSON.parse(volume))

  const party = (labels: Record<string, string>) => ({ namespace: 'latchkey', labels })
  const traefik = { namespace: 'traefik', labels: { 'app.kubernetes.io/name': 'traefik' } }
  const auth = podsOf(production).find(({ where }) => where === 'Deployment auth')
  t.ok(mayReach(production, party(labels), party(auth?.labels), '3000/TCP'))
  t.ok(mayReach(production, traefik, party(labels), '3000/TCP'))
  t.notOk(mayReach(production, party(labels), party(orders?.labels), '3000/TCP'))
})
