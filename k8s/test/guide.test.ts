import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseKeySet } from '@latchkey/verify'
import { execaSync } from 'execa'
import t from 'tap'
import { commands, createSecrets, guide } from './guide.ts'
import { list, type Objects, ofKind, podsOf, root, services } from './objects.ts'
import { renderOverlay } from './render.ts'

/** The Secrets that the objects of an overlay read, each with an entry that they need. */
function findNeededSecrets(objects: Objects): [name: string, entry: string][] {
  const mounted = podsOf(objects)
    .flatMap(({ pod }) => list(pod.volumes))
    .filter(({ secret }) => secret)
    .map(({ secret }): [string, string] => [
      secret.secretName,
      secret.items?.[0].key ?? 'keys.json',
    ])
  const tls = ofKind(objects, 'Ingress').flatMap(({ spec }) => list(spec.tls))
  return [...mounted, ...tls.map(({ secretName }): [string, string] => [secretName, 'tls.key'])]
}

t.test('the commands are valid shell, and the files that the guide names exist', async (t) => {
  execaSync('bash', ['-n'], { input: commands() })
  const inText = [...guide.matchAll(/(?<![\w/.])((?:k8s|ops)\/[\w./-]*\w)/g)]
  const links = [...guide.matchAll(/\]\(\.\.\/\.\.\/([^)#]+)(?:#[^)]*)?\)/g)]
  const paths = [...inText, ...links].map(([, path = '']) => path)
  t.ok(paths.length > 5)
  for (const path of paths.filter((path) => !path.startsWith('k8s/overlays/ours'))) {
    t.ok(existsSync(join(root, path)), path)
  }
})

t.test('the commands create a working keyring and every Secret that is read', async (t) => {
  const secrets = createSecrets()
  for (const overlay of ['dev', 'production']) {
    for (const [name, entry] of findNeededSecrets(renderOverlay(overlay))) {
      const isOfOperator = overlay === 'production' && name.endsWith('-database-app')
      if (!isOfOperator) t.ok(secrets.get(name)?.[entry], `${overlay}: ${entry} of ${name}`)
    }
  }

  const whole = parseKeySet(secrets.get('latchkey-keys')?.['keys.json'] ?? '')
  const own = [whole.refresh, ...whole.roots, ...whole.idTokenKeys]
  t.equal(own.filter(Boolean).length, 3, 'auth has its own keys')
  for (const service of services.filter((name) => name !== 'auth')) {
    const { refresh, roots, idTokenKeys, ...set } = parseKeySet(
      secrets.get(`${service}-keys`)?.['keys.json'] ?? '',
    )
    t.strictSame([refresh, roots, idTokenKeys], [undefined, [], []], `${service} has none of them`)
    t.match(set, { signing: { kid: whole.signing.kid }, service: { service } })
  }

  const urls = services.map((service) => {
    const { url = '', password = '' } = secrets.get(`${service}-database`) ?? {}
    t.equal(new URL(url).hostname, `${service}-database`)
    t.ok(password.length >= 32 && new URL(url).password === password, `password of ${service}`)
    return url
  })
  t.equal(new Set(urls).size, services.length)
})

t.test('the guide states the sizes of the pods', async (t) => {
  for (const { name, pod } of podsOf(renderOverlay('production'))) {
    const { requests, limits } = pod.containers[0].resources
    if (!services.includes(name)) continue
    const pair = (one: string, other: string) => `\\| ${one}, ${other} +`.replaceAll('Mi', ' Mi')
    const sizes = pair(requests.cpu, limits.cpu) + pair(requests.memory, limits.memory)
    t.match(guide, new RegExp(`^\\| [^|]*\\b${name}\\b[^|]*${sizes}`, 'm'), name)
  }
})
