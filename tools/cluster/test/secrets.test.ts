import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { login, logout, register, send } from '@latchkey/test-kit/client'
import { Client } from 'pg'
import t from 'tap'
import { type Cluster, startCluster } from '../src/cluster.ts'

const run = promisify(execFile)
const latchkey = join(resolve(import.meta.dirname, '../../..'), 'services/auth/src/cli/main.ts')

const cluster = await startCluster({
  port: 0,
  instances: 1,
  ephemeral: true,
  env: { LATCHKEY_LOG_LEVEL: 'trace' },
})
t.teardown(() => cluster.stop())

t.test('no log, metric or database contains a key, password or token', async (t) => {
  const secrets = await useEverything(cluster)
  const places = new Map<string, string>()
  for (const file of await readdir(join(cluster.dataFolder, 'logs'))) {
    places.set(`log ${file}`, await readFile(join(cluster.dataFolder, 'logs', file), 'utf8'))
  }
  for (const { name, url } of cluster.instances) {
    places.set(`metrics of ${name}`, await (await fetch(`${url}/metrics`)).text())
  }
  for (const [name, url] of Object.entries(cluster.databaseUrls)) {
    places.set(`database of ${name}`, await dump(url))
  }
  t.match(places.get('log auth-1.log'), /"path":"\/v1\/login"/, 'the log has content')
  t.match(places.get('database of auth'), /argon2id/)
  t.match(
    places.get('metrics of orders-1'),
    /latchkey_tokens_refused_total\{code="token_signature"/,
  )
  for (const [place, text] of places) {
    for (const [what, secret] of secrets) {
      if (text.includes(secret)) t.fail(`the ${place} contains ${what}`)
    }
  }
  t.ok(secrets.length > 20, `${secrets.length} secrets looked for in ${places.size} places`)
})

/** Uses the API, with valid and invalid input. @returns every secret involved, by name */
async function useEverything({
  url,
  keysFile,
  serviceKeys,
  databaseUrls,
}: Cluster): Promise<[string, string][]> {
  const person = await register(url)
  const tokens = await login(url, person)
  const token = tokens.access_token
  const tampered = `${token.slice(0, -5)}AAAAA`
  for (const service of ['orders', 'billing']) {
    for (const sent of [token, tampered, 'rubbish', person.password]) {
      await send(`${url}/${service}/whoami?access_token=${token}`, { token: sent })
    }
  }
  const post = (path: string, body: object) => send(url + path, { method: 'POST', token, body })
  const refreshed = await post('/auth/v1/refresh', { refresh_token: tokens.refresh_token })
  const { refresh_token } = refreshed.reply as { refresh_token: string }
  await post('/auth/v1/refresh', { refresh_token: `${refresh_token}x` })
  await post('/auth/v1/login', { ...person, password: `${person.password}-wrong` })
  await post('/auth/v1/login', { ...person, unknown: token })
  await post('/orders/v1/orders', { item: 'key', quantity: 1, unit_price_cents: 5 })

  const files = ['--keys', keysFile, '--service-keys', serviceKeys]
  const where = [...files, '--auth', `${url}/auth`, '--issuer', `${url}/auth`]
  await run(process.execPath, [latchkey, 'keys', 'add', 'next', ...files])
  await sleep(3_500)
  await run(process.execPath, [latchkey, 'keys', 'promote', 'next', ...where])
  const broken = await readFile(keysFile, 'utf8')
  await run('sh', ['-c', `printf '{"keys":[{"kty":"oct","k":"c2hvcnQ"' > '${keysFile}'`])
  await sleep(1_500)
  await run('sh', ['-c', `cat > '${keysFile}' <<'END'\n${broken}\nEND`])
  await logout(url, token)

  const { keys } = JSON.parse(broken) as { keys: Record<string, string>[] }
  const privateMembers = ['k', 'd', 'p', 'q', 'dp', 'dq', 'qi']
  return [
    ...keys.flatMap((key) =>
      privateMembers.flatMap((member): [string, string][] => {
        const text = key[member]
        if (text === undefined) return []
        const bytes = Buffer.from(text, 'base64url')
        const name = `${member} of key ${key.kid}`
        return [
          [name, text],
          [`${name} in base64`, bytes.toString('base64').replace(/=+$/, '')],
          [`${name} in hexadecimal`, bytes.toString('hex')],
          [`${name} as numbers`, [...bytes.subarray(0, 8)].join()],
          [`half of ${name}`, text.slice(0, 20)],
        ]
      }),
    ),
    ...Object.entries(databaseUrls).map(([name, text]): [string, string] => [
      `the password of database ${name}`,
      new URL(text).password,
    ]),
    ['the password', person.password],
    ['the access token', token],
    ['its signature', token.split('.')[2] ?? ''],
    ['the tampered token', tampered],
    ['the refresh token', tokens.refresh_token],
    ['the next refresh token', refresh_token],
  ]
}

/** Every row of every table, as text. */
async function dump(connectionString: string): Promise<string> {
  const client = new Client({ connectionString })
  await client.connect()
  const { rows: tables } = await client.query(
    `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'`,
  )
  let text = ''
  for (const { name } of tables) {
    const { rows } = await client.query(`SELECT row_to_json(r)::text AS row FROM ${name} AS r`)
    text += rows.map(({ row }) => row).join('\n')
  }
  await client.end()
  return text
}
