import t from 'tap'
import { createProject, needsEngine } from './project.ts'

interface Service {
  readonly environment: Record<string, string>
  readonly networks: Record<string, unknown>
}

const namesOn = (network: string, services: Record<string, Service>) =>
  Object.keys(services).filter((name) => network in (services[name]?.networks ?? {}))

t.test(
  'Mailpit is hardened, and reached by auth and this machine alone',
  needsEngine,
  async (t) => {
    const { config } = await createProject(t)
    const { services, networks } = await config('mailpit')
    t.match(services.mailpit, {
      image: /^axllent\/mailpit:v\d+\.\d+\.\d+$/,
      profiles: ['mailpit'],
      read_only: true,
      cap_drop: ['ALL'],
      user: /^[1-9]/,
    })
    const ports = JSON.stringify(services.mailpit.ports)
    t.match(ports, /127\.0\.0\.1/)
    t.match(ports, /8025/)
    t.notMatch(ports, /1025/, 'SMTP is not published')
    t.strictSame(namesOn('mail', services).sort(), ['auth', 'mailpit'])
    t.notOk(namesOn('front', services).includes('auth'))
    for (const name of ['data', 'edge', 'mail']) t.equal(networks[name].internal, true, name)
  },
)

t.test('auth sends mail and has a route out only if .env configures it', needsEngine, async (t) => {
  const { config, env, secret } = await createProject(t)
  const before = await config('mailpit')
  t.match(before.services.auth.environment, { LATCHKEY_SMTP_URL_FILE: '', LATCHKEY_MAIL_FROM: '' })

  const offered = [...(await env()).matchAll(/^#(LATCHKEY_\w+)=(.*)$/gm)]
  const settings = Object.fromEntries(offered.map(([, name, value]) => [name, value]))
  t.strictSame(Object.keys(settings), ['LATCHKEY_SMTP_URL_FILE', 'LATCHKEY_MAIL_FROM'])
  const after = await config('mailpit', { ...settings, LATCHKEY_MAIL_INTERNAL: 'false' })
  t.match(after.services.auth.environment, settings)
  t.equal(after.networks.mail.internal ?? false, false)

  const { hostname, port, search } = new URL(await secret('mail/smtp_url'))
  t.ok(hostname in after.services, 'the first URL is that of a service')
  t.strictSame([port, search], ['1025', '?tls=none'])
  t.match(JSON.stringify(after.services.auth.volumes), /secrets\/mail.*\/run\/latchkey\/mail/)
})
