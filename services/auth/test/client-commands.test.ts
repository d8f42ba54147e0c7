import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { readCommands } from '@latchkey/test-kit/guide'
import t from 'tap'
import { latchkey } from './command.ts'
import { secretOf, startListening } from './oauth-support.ts'

const main = resolve(import.meta.dirname, '../src/cli/main.ts')

t.test('registers clients as the guides do', async (t) => {
  const { app, issuer } = await startListening(t)
  const keys = app.config.LATCHKEY_KEYS_FILE
  const settings = {
    LATCHKEY_AUTH_URL: issuer,
    LATCHKEY_ISSUER: issuer,
    LATCHKEY_KEYS_FILE: keys,
  }

  /** Runs the commands of a section, with this service in place of that of the guide. */
  async function follow(guide: string, section: string): Promise<string> {
    const commands = readCommands(`docs/guides/${guide}.md`, section).join('')
    const script = commands
      .replaceAll('npm run --silent latchkey --', `'${process.execPath}' '${main}'`)
      .replaceAll('https://sso.example.com', issuer)
      .replaceAll('keys.json', keys)
    const options = { env: { ...process.env, ...settings } }
    const args = ['--norc', '-euc', script]
    return (await promisify(execFile)('bash', args, options)).stdout
  }

  const added = await follow('sign-in-with-other-apps', 'Register the app')
  t.match(added, 'Registered the confidential client grafana.\n')
  t.match(added, `client_secret     ${secretOf(app, 'grafana')}\n`)

  const many = await follow('single-sign-on', 'Clients')
  t.match(many, 'Registered the confidential client orders.\n')
  t.match(many, /^grafana +confidential +enabled +grafana +https:\/\/grafana\.example\.com/m)
  t.match(many, 'Disabled orders.\nEnabled orders.\n')
  t.notMatch(many, 'client_secret')

  const native = await follow('single-page-apps', 'A native app')
  t.equal(native, 'Registered the public client desktop.\n', 'a public client has no secret')
  await follow('single-page-apps', 'A single-page app without a server')

  const options = ['--auth', issuer, '--issuer', issuer, '--keys', keys]
  const shown = await latchkey('clients', 'show', 'grafana', '--secret', ...options)
  t.match(shown.stdout, `client_secret     ${secretOf(app, 'grafana')}\n`)
  const uri = 'http://grafana.example.com/'
  const refused = await latchkey('clients', 'add', 'x', '--redirect-uri', uri, ...options)
  t.match(refused, { code: 1, stderr: /redirect_uris\/0 must begin with https:/ })
})
