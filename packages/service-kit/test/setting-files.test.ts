import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Type } from 'typebox'
import { ConfigError, loadConfig, serviceSettings } from '../src/index.ts'

const schema = Type.Object({
  LATCHKEY_DATABASE_URL: serviceSettings.LATCHKEY_DATABASE_URL,
  LATCHKEY_PORT: serviceSettings.LATCHKEY_PORT,
})
const url = 'postgres://latchkey_auth:secret@postgres/latchkey_auth'

const folder = mkdtempSync(join(tmpdir(), 'latchkey-settings-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

function write(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text, { mode: 0o600 })
  return file
}

const mistakeOf = (env: NodeJS.ProcessEnv): string => {
  try {
    loadConfig(schema, env)
  } catch (err) {
    if (err instanceof ConfigError) return err.message
  }
  return 'no mistake'
}

t.test('reads any setting from a file and strips one trailing line break', async (t) => {
  const env = {
    LATCHKEY_DATABASE_URL_FILE: write('url', `${url}\n`),
    LATCHKEY_PORT_FILE: write('port', '\uFEFF8080\r\n'),
  }
  t.strictSame(loadConfig(schema, env), {
    LATCHKEY_DATABASE_URL: url,
    LATCHKEY_PORT: 8080,
    ...env,
  })
})

t.test('refuses a setting given both directly and as a file', async (t) => {
  const env = { LATCHKEY_DATABASE_URL: url, LATCHKEY_DATABASE_URL_FILE: write('twice', url) }
  t.equal(
    mistakeOf(env),
    'LATCHKEY_DATABASE_URL and LATCHKEY_DATABASE_URL_FILE are both set; set only one of them',
  )
})

t.test('names an unreadable file and the reason, together with every other mistake', async (t) => {
  const missing = join(folder, 'missing')
  t.equal(
    mistakeOf({ LATCHKEY_DATABASE_URL_FILE: missing, LATCHKEY_PORT: 'http' }),
    `LATCHKEY_DATABASE_URL_FILE: ${missing} cannot be read (ENOENT); LATCHKEY_PORT must be an integer from 0 to 65535`,
  )
})

t.test(
  'reports a wrong value in a file as for the setting itself, without the value',
  async (t) => {
    const env = { LATCHKEY_DATABASE_URL_FILE: write('wrong', 'mysql://root:secret@db') }
    t.equal(
      mistakeOf(env),
      'LATCHKEY_DATABASE_URL must be a URL that begins with postgres:// or postgresql://',
    )
  },
)
