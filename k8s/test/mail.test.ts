import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '@latchkey/service-kit'
import { readBlocks } from '@latchkey/test-kit/guide'
import { execaSync } from 'execa'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { settings } from '../../services/auth/src/config.ts'
import { program } from './kubectl.ts'
import { environmentOf, find, root } from './objects.ts'
import { configured } from './policies/settings.ts'
import { renderOverlay } from './render.ts'

const blocks = readBlocks('docs/guides/kubernetes.md').filter(({ section }) => section === 'Mail')
const [create = '', addition = ''] = ['sh', 'yaml'].map(
  (language) => blocks.find((block) => block.language === language)?.code,
)

/** The production overlay with what the guide adds. */
function renderWithMail(copy: string) {
  for (const folder of ['base', 'components', 'overlays/production']) {
    cpSync(join(root, 'k8s', folder), join(copy, folder), { recursive: true })
  }
  const file = join(copy, 'overlays/production/kustomization.yaml')
  const { components, patches, ...overlay } = parse(readFileSync(file, 'utf8'))
  const mail = parse(addition)
  const whole = {
    ...overlay,
    components: [...components, ...mail.components],
    patches: [...patches, ...mail.patches],
  }
  writeFileSync(file, stringify(whole))
  return renderOverlay('production', copy)
}

t.test('the guide adds to auth settings that it accepts, and nothing else', async (t) => {
  const copy = mkdtempSync(join(tmpdir(), 'latchkey-k8s-'))
  t.teardown(() => rmSync(copy, { recursive: true }))
  const environment = (objects: ReturnType<typeof renderOverlay>) =>
    environmentOf(objects, find(objects, 'Deployment', 'auth').spec.template.spec)
  const before = renderOverlay('production')
  const objects = renderWithMail(copy)
  t.strictSame(environment(objects), {
    ...environment(before),
    LATCHKEY_SMTP_URL_FILE: '/run/secrets/latchkey/smtp/url',
    LATCHKEY_MAIL_FROM: 'Example <no-reply@example.com>',
    LATCHKEY_REGISTRATION: 'verified',
    LATCHKEY_PAGES_URL: 'https://example.com/account',
  })
  t.strictSame(configured(objects), [])
  const isNew = (name: string) => !before.some(({ metadata }) => metadata.name === name)
  t.strictSame(objects.map(({ metadata }) => metadata.name).filter(isNew), ['auth-to-smtp'])
})

t.test('the Secret of the guide is a URL that auth accepts', async (t) => {
  const dryRun = `kubectl() { '${program}' "$@" --dry-run=client --output=json; }\n`
  const { stdout } = execaSync('bash', ['-euo', 'pipefail', '-c', dryRun + create])
  const { metadata, data } = JSON.parse(stdout)
  t.equal(metadata.name, 'auth-smtp')
  const file = join(t.testdir({ url: Buffer.from(data.url, 'base64') }), 'url')
  const required = {
    LATCHKEY_AUDIENCES: 'orders',
    LATCHKEY_ISSUER: 'https://sso.example.com/auth',
    LATCHKEY_KEYS_FILE: 'keys.json',
    LATCHKEY_DATABASE_URL: 'postgresql://user:password@host:5432/name',
  }
  const config = loadConfig(settings, { ...required, LATCHKEY_SMTP_URL_FILE: file })
  t.match(config.LATCHKEY_SMTP_URL, /^smtps:\/\/\S+:465$/)
})
