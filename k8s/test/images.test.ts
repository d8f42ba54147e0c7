import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { parse } from 'yaml'
import { commands } from './guide.ts'
import { type KubeObject, ofKind, podsOf } from './objects.ts'
import { environmentOf } from './policies/settings.ts'
import { renderOverlay } from './render.ts'

const root = join(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')

const services = ['auth', 'orders', 'billing']
const { version } = JSON.parse(read('package.json')) as { version: string }
const dockerfile = read('Dockerfile')
const overlays = {
  dev: await renderOverlay('dev'),
  production: await renderOverlay('production'),
}

/** What the last stage of the Dockerfile says by an instruction. */
const instruction = (name: string) =>
  [...dockerfile.matchAll(new RegExp(`^${name} (.+)$`, 'gm'))].at(-1)?.[1] ?? ''

/** The image of every pod of a service, server and migration. */
const imagesOf = (objects: readonly KubeObject[], service: string) =>
  podsOf(objects)
    .filter(({ labels }) => labels['app.kubernetes.io/name'] === service)
    .map(({ spec }) => spec.containers[0]?.image)

t.test('servers and migrations run the image that compose builds, of this version', async (t) => {
  const compose = parse(read('docker-compose.yml')) as {
    services: Record<string, { image?: string }>
  }
  const built = Object.values(compose.services).map(({ image = '' }) => image)
  for (const service of services) {
    const image = `latchkey/${service}:${version}`
    t.strictSame(imagesOf(overlays.dev, service), [image, image])
    t.ok(built.includes(image), `compose builds ${image}`)
    const published = `registry.example.com/${image}`
    t.strictSame(imagesOf(overlays.production, service), [published, published])
  }
})

t.test('a service is given the same audiences and scope as in compose', async (t) => {
  const compose = parse(read('docker-compose.yml'), { merge: true }) as {
    services: Record<string, { environment: Record<string, string> }>
  }
  for (const objects of Object.values(overlays)) {
    const pods = podsOf(objects).find(({ kind, name }) => kind === 'Deployment' && name === 'auth')
    if (!pods) return t.fail('auth is missing')
    const { LATCHKEY_AUDIENCES, LATCHKEY_DEFAULT_SCOPE } = environmentOf(pods, objects)
    t.match(compose.services.auth?.environment, { LATCHKEY_AUDIENCES, LATCHKEY_DEFAULT_SCOPE })
    t.ok(LATCHKEY_AUDIENCES && LATCHKEY_DEFAULT_SCOPE)
  }
})

t.test('the guide builds the images that the dev overlay runs', async (t) => {
  t.match(commands('Images'), `--tag latchkey/$service:${version} `)
  t.match(commands('Images'), `kind load docker-image latchkey/$service:${version} `)
  t.match(dockerfile, /^ARG SERVICE$/m, 'by an argument, as the guide gives it')
})

t.test('pods listen where the image does, and run as the user it was made for', async (t) => {
  const port = Number(instruction('EXPOSE'))
  t.ok(port > 0, 'the image says its port')
  const [user = ''] = instruction('USER').split(':')
  const userId = user === 'node' ? 1000 : Number(user) // The Node images' own user.
  for (const objects of Object.values(overlays)) {
    for (const pods of podsOf(objects).filter(({ kind }) => kind !== 'StatefulSet')) {
      const [container] = pods.spec.containers
      t.equal(pods.spec.securityContext?.runAsUser, userId, pods.name)
      t.equal(container?.command, undefined, `${pods.name} starts as the image says`)
      if (pods.kind === 'Job') continue
      t.strictSame(
        container?.ports?.map(({ containerPort }) => containerPort),
        [port],
      )
      t.equal(environmentOf(pods, objects).LATCHKEY_PORT, String(port))
    }
    for (const { metadata, spec } of ofKind(objects, 'NetworkPolicy')) {
      const rules = [...(spec?.ingress ?? []), ...(spec?.egress ?? [])]
      const ports = rules.flatMap(({ ports }) => ports ?? []).map(({ port }) => port)
      const known = [port, 5432, 53, 8000, 443, 6443]
      t.ok(
        ports.every((one) => known.includes(Number(one))),
        metadata?.name ?? '',
      )
    }
  }
})

t.test('a migration is the image’s program, told to migrate', async (t) => {
  t.strictSame(JSON.parse(instruction('ENTRYPOINT')), ['node', 'src/main.ts'])
  const jobs = podsOf(overlays.production).filter(({ kind }) => kind === 'Job')
  t.strictSame(
    jobs.map(({ spec }) => spec.containers[0]?.args),
    [['migrate'], ['migrate'], ['migrate']],
  )
})

t.test('what is to be replaced cannot pass as real', async (t) => {
  for (const [overlay, host] of [
    ['dev', 'sso.latchkey.test'],
    ['production', 'sso.example.com'],
  ] as const) {
    const [settings] = ofKind(overlays[overlay], 'ConfigMap')
    t.equal(settings?.data?.LATCHKEY_ISSUER, `https://${host}/auth`)
    for (const { spec } of ofKind(overlays[overlay], 'Ingress')) {
      t.strictSame(
        spec?.rules?.map((rule) => rule.host),
        [host],
        'said once, in the issuer',
      )
      t.strictSame(
        spec?.tls?.flatMap((tls) => tls.hosts),
        [host],
      )
    }
  }
})

t.test('Prometheus is given the rules that were tested', async (t) => {
  const [rule] = ofKind(overlays.production, 'PrometheusRule')
  const { groups } = parse(read('ops/observability/alerts/latchkey.yml'))
  t.ok(isDeepStrictEqual(rule?.spec?.groups, groups), 'run `node k8s/copy-rules.ts`')
})
