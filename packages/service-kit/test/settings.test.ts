import t, { type Test } from 'tap'
import { settings as authSettings } from '../../../services/auth/src/config.ts'
import { ConfigError, loadConfig } from '../src/index.ts'

const valid: NodeJS.ProcessEnv = {
  LATCHKEY_ISSUER: 'https://sso.example.com/auth',
  LATCHKEY_KEYS_FILE: '/run/keys.json',
  LATCHKEY_DATABASE_URL: 'postgres://ada:secret@db:5432/orders',
  LATCHKEY_AUDIENCES: 'orders billing',
}

/** The message for an environment that differs from a valid one. */
function mistakeOf(env: NodeJS.ProcessEnv): string {
  try {
    loadConfig(authSettings, { ...valid, ...env })
    return 'no mistake'
  } catch (err) {
    if (err instanceof ConfigError) return err.message
    throw err
  }
}

/** Asserts that each value is refused, with a message that names the setting but no value. */
function refuses(t: Test, name: string, values: readonly string[], message: RegExp) {
  for (const value of values) {
    const mistake = mistakeOf({ [name]: value })
    t.match(mistake, message, `${name}=${value}`)
    t.ok(mistake.startsWith(`${name} `), mistake)
    t.notMatch(mistake, value.length > 3 ? value : 'no value', 'the value is not repeated')
  }
}

t.test('refuses a value in quotes or with white space around it, in any setting', async (t) => {
  for (const name of Object.keys(authSettings.properties)) {
    const value = valid[name] ?? '1'
    for (const quote of ['"', "'"]) {
      t.equal(
        mistakeOf({ [name]: `${quote}${value}${quote}` }),
        `${name} is in quotes; remove them`,
      )
    }
    for (const spaced of [` ${value}`, `${value} `]) {
      const mistake = `${name} begins or ends with white space; remove it`
      t.equal(mistakeOf({ [name]: spaced }), mistake)
    }
    t.match(mistakeOf({ [name]: `${value}\t${value}` }), `${name} contains a line break`)
  }
})

t.test('checks each item of a list, and names its position', async (t) => {
  refuses(
    t,
    'LATCHKEY_CORS_ORIGINS',
    [
      '*',
      'null',
      'app.example.com',
      'https://a.test/',
      'https://a.test/x',
      'https://A.test',
      'https://a.test:443',
      'https://a.test,https://b.test',
      'file:///x',
    ],
    /is a list separated by single spaces, without commas or quotes; its item 1 is not valid/,
  )
  refuses(
    t,
    'LATCHKEY_AUDIENCES',
    ['orders,billing', 'orders  billing', '"orders billing', "orders 'billing'", 'orders orders'],
    /is a list separated by single spaces, without commas or quotes; its item [12] /,
  )
  refuses(t, 'LATCHKEY_DEFAULT_SCOPE', ['a,b', 'a  b', 'a "b"', 'a \\b', 'ä'], /its item \d is /)
  refuses(
    t,
    'LATCHKEY_TRUST_PROXY',
    ['10.0.0.1,,10.0.0.2', '10.0.0.1,', '10.0.0.0/8 172.16.0.0/12', '"10.0.0.1",::1', '::1,::1'],
    /is a list separated by single commas, without spaces or quotes; its item [12] /,
  )
})

t.test(
  'accepts hop counts, addresses, ranges and names of ranges as trusted proxies',
  async (t) => {
    for (const LATCHKEY_TRUST_PROXY of [
      '0',
      '1',
      '32',
      '10.0.0.1',
      '10.0.0.0/8,fd00::/8, loopback',
    ]) {
      t.equal(mistakeOf({ LATCHKEY_TRUST_PROXY }), 'no mistake', LATCHKEY_TRUST_PROXY)
    }
    refuses(
      t,
      'LATCHKEY_TRUST_PROXY',
      ['true', 'false', '*', 'TRUE'],
      /must name the trusted proxies/,
    )
    refuses(
      t,
      'LATCHKEY_TRUST_PROXY',
      ['33', '99999999999'],
      /must be a number of hops from 0 to 32/,
    )
    refuses(
      t,
      'LATCHKEY_TRUST_PROXY',
      [
        '0.0.0.0/0',
        '::/0',
        '10.0.0.0/33',
        '10.0.0.0/',
        '10.1',
        '-1',
        '1.5',
        'private',
        'fe80::1%eth0',
      ],
      /its item 1 is not valid/,
    )
  },
)

t.test('says how to write a password with special characters in the URL', async (t) => {
  const urls = ['#', '/', '?', '#1', '1#', '1/', '1?', '%', '%zz', '@/'].map(
    (password) => `postgres://ada:${password}secret@db:5432/orders`,
  )
  refuses(t, 'LATCHKEY_DATABASE_URL', urls, /is not a valid URL; percent-encode special characters/)
  const encoded = 'postgres://ada:%23%2F%3F%40%25@db:5432/orders?sslmode=no-verify'
  t.equal(mistakeOf({ LATCHKEY_DATABASE_URL: encoded }), 'no mistake')
  t.equal(
    mistakeOf({ LATCHKEY_DATABASE_URL: 'postgres://ada@db/orders?sslrootcert=/none.crt' }),
    'LATCHKEY_DATABASE_URL names the file /none.crt, which cannot be read (ENOENT)',
  )
  refuses(t, 'LATCHKEY_DATABASE_URL', ['mysql://db/orders', 'db'], /must be a URL that begins with/)
})

t.test('explains the variables that Kubernetes sets for a Service', async (t) => {
  refuses(
    t,
    'LATCHKEY_PORT',
    ['tcp://10.0.0.1:80'],
    /must be an integer from 0 to 65535; Kubernetes set it for a Service: set enableServiceLinks/,
  )
})

t.test('refuses a URL of another scheme, or with a query, fragment or credentials', async (t) => {
  const urls = [
    'sso',
    'ftp://sso',
    'https://',
    'https://sso/?a=b',
    'https://sso/#a',
    'https://a:b@sso',
  ]
  refuses(t, 'LATCHKEY_ISSUER', urls, /must/)
})

t.test('treats an empty variable as unset, and reports every mistake', async (t) => {
  t.equal(mistakeOf({ LATCHKEY_TRUST_PROXY: '', LATCHKEY_HOST: '' }), 'no mistake')
  t.equal(
    mistakeOf({ LATCHKEY_ISSUER: '', LATCHKEY_MIGRATE_ON_START: 'yes' }),
    'LATCHKEY_ISSUER is not set (The `iss` of every token: the public URL of auth); ' +
      'LATCHKEY_MIGRATE_ON_START must be `true` or `false`',
  )
})
