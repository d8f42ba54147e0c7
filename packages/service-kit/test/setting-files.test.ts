import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Type } from 'typebox'
import { ConfigError, loadConfig } from '../src/index.ts'

const schema = Type.Object({
  LATCHKEY_DATABASE_URL: Type.String({ pattern: '^postgres://' }),
  LATCHKEY_PORT: Type.Integer({ default: 3000 }),
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

t.test('any setting may be given as a file, one line break at its end not counting', async (t) => {
  const env = {
    LATCHKEY_DATABASE_URL_FILE: write('url', `${url}\n`),
    LATCHKEY_PORT_FILE: write('port', '8080\r\n'),
  }
  t.strictSame(loadConfig(schema, env), { LATCHKEY_DATABASE_URL: url, LATCHKEY_PORT: 8080 })
})

t.test('a setting given twice is refused', async (t) => {
  const env = { LATCHKEY_DATABASE_URL: url, LATCHKEY_DATABASE_URL_FILE: write('twice', url) }
  t.equal(
    mistakeOf(env),
    'LATCHKEY_DATABASE_URL and LATCHKEY_DATABASE_URL_FILE are both set; give one of them',
  )
})

t.test(
  'a file that cannot be read is named with its reason, beside every other mistake',
  async (t) => {
    const missing = join(folder, 'missing')
    t.equal(
      mistakeOf({ LATCHKEY_DATABASE_URL_FILE: missing, LATCHKEY_PORT: 'http' }),
      `LATCHKEY_DATABASE_URL_FILE: ${missing} cannot be read (ENOENT); LATCHKEY_PORT must be integer`,
    )
  },
)

t.test(
  'a file with a wrong value draws the same sentence as the setting, without the value',
  async (t) => {
    const env = { LATCHKEY_DATABASE_URL_FILE: write('wrong', 'mysql://root:secret@db') }
    t.equal(mistakeOf(env), 'LATCHKEY_DATABASE_URL must match pattern "^postgres://"')
  },
)
