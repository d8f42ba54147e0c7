import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseKeySet } from '@latchkey/verify'
import t from 'tap'
import { commands, guide, makeSecrets } from './guide.ts'
import { type KubeObject, ofKind, podsOf } from './objects.ts'
import { renderOverlay } from './render.ts'

const root = join(import.meta.dirname, '../..')

/** The Secrets that an overlay's objects read, each with the entries they need of it. */
function neededSecrets(objects: readonly KubeObject[]): Map<string, Set<string>> {
  const needed = new Map<string, Set<string>>()
  const need = (name: string, key: string) =>
    needed.set(name, (needed.get(name) ?? new Set()).add(key))
  for (const { spec } of podsOf(objects)) {
    for (const { secret } of spec.volumes ?? []) {
      const keys = secret?.items?.map(({ key }) => key) ?? ['keys.json']
      if (secret) for (const key of keys) need(secret.secretName ?? '', key)
    }
  }
  for (const { spec } of ofKind(objects, 'Ingress')) {
    for (const { secretName = '' } of spec?.tls ?? []) need(secretName, 'tls.key')
  }
  return needed
}

t.test('the guide’s commands are a shell’s, and the files they name exist', async (t) => {
  execFileSync('bash', ['-n'], { input: commands() })
  const made = ['k8s/overlays/ours']
  for (const [, path = ''] of guide.matchAll(/(?<![\w/.])((?:k8s|observability)\/[\w./-]*\w)/g)) {
    if (!made.some((folder) => path.startsWith(folder))) t.ok(existsSync(join(root, path)), path)
  }
  for (const [, path = ''] of guide.matchAll(/\]\((\.\.[^)#]+)(?:#[^)]*)?\)/g)) {
    t.ok(existsSync(join(root, 'docs/guides', path)), path)
  }
})

t.test(
  'the guide’s commands make every Secret that is read, and a keyring that works',
  async (t) => {
    const secrets = await makeSecrets()
    for (const overlay of ['dev', 'production'] as const) {
      for (const [name, keys] of neededSecrets(await renderOverlay(overlay))) {
        // Of CloudNativePG's making.
        if (overlay === 'production' && name.endsWith('-database-app')) continue
        for (const key of keys) t.ok(secrets.get(name)?.[key], `${overlay}: ${key} of ${name}`)
      }
    }

    const whole = parseKeySet(secrets.get('latchkey-keys')?.['keys.json'] ?? '')
    const verifying = parseKeySet(secrets.get('latchkey-verifying-keys')?.['keys.json'] ?? '')
    t.ok(whole.refresh, 'auth has the key of refresh tokens')
    t.equal(verifying.refresh, undefined, 'nobody else has')
    t.equal(verifying.signing.kid, whole.signing.kid)

    const urls = ['auth', 'orders', 'billing'].map((service) => {
      const { url = '', password = '' } = secrets.get(`${service}-database`) ?? {}
      t.equal(new URL(url).hostname, `${service}-database`)
      t.ok(password.length >= 32 && new URL(url).password === password, `${service}’s password`)
      return url
    })
    t.equal(new Set(urls).size, 3)
  },
)
