import { once } from 'node:events'
import { chmod, readdir, readFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { login, send } from '@latchkey/test-kit/client'
import { request } from '@latchkey/test-kit/plain-browser'
import { Client } from 'pg'
import t from 'tap'
import { startCluster } from '../src/cluster.ts'
import { openDataFolder } from '../src/data/data-folder.ts'
import { familyOf, signalFamily } from '../src/processes/process-table.ts'
import { allEnd, makeFolder, runMain, runNpm } from './helpers.ts'

const server = process.env.LATCHKEY_TEST_DATABASE_URL ?? ''

t.test('explains a wrong flag and exits with 2', async (t) => {
  for (const [flags, sentence] of [
    [['--nonsense'], "unknown option '--nonsense'"],
    [['--port', '70000'], 'must be a whole number from 0 to 65535.'],
    [['--instances', '0'], 'must be a whole number from 1 to 10.'],
    [['--database-url', 'mysql://x'], 'must look like postgres://'],
    [['start'], 'too many arguments'],
    [['--registration', 'maybe'], 'Allowed choices are verified, open, closed.'],
    [['--audience', '"shop'], 'must be a name or a URL, without quotes.'],
    [['--ephemeral', '--data-folder', 'x'], 'cannot be used with option'],
  ] as const) {
    const run = runMain(t, ...flags)
    t.equal(await run.exited, 2)
    t.match(run.output(), sentence)
    t.notMatch(run.output(), /\n +at /)
  }
  const help = runMain(t, '--help')
  t.equal(await help.exited, 0)
  t.match(help.output(), '--ephemeral')
})

t.test('names an instance that cannot start, and never reports its service ready', async (t) => {
  const ready: string[] = []
  const starting = startCluster({
    port: 0,
    instances: 2,
    ephemeral: true,
    env: { LATCHKEY_ARGON2_PASSES: '0' },
    onReady: (part) => ready.push(part),
  })
  await t.rejects(starting, { message: /^auth-[12] .*LATCHKEY_ARGON2_PASSES must be an integer/ })
  t.notOk(ready.includes('auth'), 'not even if the other instance is ready')
})

t.test('reports an unreachable database server without the password', async (t) => {
  const run = runMain(
    t,
    '--port=0',
    '--ephemeral',
    '--database-url=postgres://me:hunter2@127.0.0.1:1/x',
  )
  t.equal(await run.exited, 1)
  t.match(run.output(), 'Cannot reach the database server at 127.0.0.1:1: connect ECONNREFUSED')
  t.notMatch(run.output(), 'hunter2')
  t.notMatch(run.output(), /\n +at /)
})

t.test('reports a data folder that it cannot write to in one sentence', async (t) => {
  const folder = await makeFolder(t)
  await chmod(folder, 0o500)
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid?.(65_534)
  try {
    await t.rejects(openDataFolder({ ephemeral: false, path: join(folder, 'data') }), {
      name: 'ClusterError',
      message: /^The data folder \S+ cannot be written by this user; /,
    })
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
})

t.test(
  'reports a folder that Postgres cannot enter in one sentence, and releases the lock',
  { skip: process.getuid?.() !== 0 && 'needs root, which runs Postgres as another user' },
  async (t) => {
    const folder = await makeFolder(t)
    await chmod(folder, 0o700)
    const data = join(folder, 'data')
    const run = runMain(t, '--port=0', '--data-folder', data)
    t.equal(await run.exited, 1)
    t.match(run.output(), `the user "postgres" cannot enter ${folder}`)
    t.notMatch(run.output(), /\n +at /)
    const next = await openDataFolder({ ephemeral: false, path: data })
    next.close()
  },
)

t.test('reports a busy port in one sentence, and releases the lock', async (t) => {
  const folder = await makeFolder(t)
  const busy = createServer().listen(0, '127.0.0.1')
  await once(busy, 'listening')
  t.teardown(() => busy.close())
  const { port } = busy.address() as AddressInfo
  const flags = [`--port=${port}`, '--data-folder', folder, `--database-url=${server}`]
  const run = runMain(t, ...flags)
  t.equal(await run.exited, 1)
  t.match(run.output(), `Port ${port} is in use by another program`)
  t.notMatch(run.output(), /\n +at /)
  const next = await openDataFolder({ ephemeral: false, path: folder })
  next.close()
})

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  t.test(`stops when ${signal} ends the npm that has started it`, async (t) => {
    const run = runNpm(t, '--port=0', '--instances=1', '--ephemeral', `--database-url=${server}`)
    await run.sees(/Ctrl-C stops everything/)
    const family = familyOf(run.process.pid ?? 0)
    t.ok(family.length >= 6)
    run.process.kill(signal)
    t.ok(await allEnd(family, 30_000))
  })
}

t.test('issues tokens for the audiences it is given, and has a page at /', async (t) => {
  const flags = ['--port=0', '--instances=1', '--ephemeral', `--database-url=${server}`]
  const run = runMain(t, ...flags, '--audience', 'shop', '--audience=https://stock.example.com')
  await run.sees(/Ctrl-C stops everything/)
  t.match(run.output(), /Tokens are also for shop\.[\s\S]*service-keys\/shop\/keys\.json/)
  const [, url = ''] = / at (http:\S+)/.exec(run.output()) ?? []
  const [, password = ''] = / with password (\S+)/.exec(run.output()) ?? []
  const { access_token } = await login(url, { email: 'demo@example.com', password })
  const claims = JSON.parse(Buffer.from(access_token.split('.')[1] ?? '', 'base64url').toString())
  t.strictSame(claims.aud, [
    ...['orders', 'billing', 'shop', 'https://stock.example.com'],
    'latchkey:auth',
  ])
  const page = await fetch(url)
  t.match(page.headers.get('content-type'), 'text/html')
  const html = await page.text()
  t.match(html, /orders-1[\s\S]*demo@example\.com/)
  t.notOk(html.includes(password))
  for (const [, link = ''] of html.matchAll(/href="([^"]+)"/g)) {
    const { host, pathname } = new URL(link, url)
    const reply = await request(url + pathname, { headers: { host, accept: 'text/html' } })
    // An app leads to its login, and the description of the API to its page.
    t.ok([200, 302].includes(reply.status), link)
  }
})

t.test('has a demo user when registration is closed, also after a restart', async (t) => {
  const folder = await makeFolder(t)
  for (const _start of ['first', 'second']) {
    const flags = ['--port=0', '--instances=1', '--data-folder', folder]
    const run = runMain(t, ...flags, '--registration=closed')
    await run.sees(/Ctrl-C stops everything/)
    t.match(run.output(), /users create --email you@example\.com --admin/)
    const [, url = ''] = / at (http:\S+)/.exec(run.output()) ?? []
    const [, password = ''] = / with password (\S+)/.exec(run.output()) ?? []
    await login(url, { email: 'demo@example.com', password })
    const body = { email: 'ada@example.com', password: 'correct horse battery' }
    const { reply } = await send(`${url}/auth/v1/register`, { body })
    t.match(reply, { code: 'registration_closed' })
    run.process.kill('SIGTERM')
    t.equal(await run.exited, 0)
  }
})

t.test('prints the code that a verified registration needs', async (t) => {
  const flags = ['--port=0', '--instances=1', '--ephemeral', `--database-url=${server}`]
  const run = runMain(t, ...flags, '--registration=verified')
  await run.sees(/Ctrl-C stops everything/)
  const [, url = ''] = / at (http:\S+)/.exec(run.output()) ?? []
  const person = { email: 'ada@example.com', password: 'correct horse battery' }
  const { reply } = await send(`${url}/auth/v1/register`, { body: person })
  const { verification_id } = reply as { verification_id: string }
  await run.sees(/mail to ada@example\.com: code \d{8}$/m)
  const [, code] = /ada@example\.com: code (\d+)/.exec(run.output()) ?? []
  const body = { verification_id, code, password: person.password }
  const { status } = await send(`${url}/auth/v1/email-verification/confirm`, { body })
  t.equal(status, 201)
  await login(url, person)
})

t.test('Ctrl-C removes the databases of an ephemeral cluster on a given server', async (t) => {
  const before = await databases()
  const run = runMain(t, '--port=0', '--instances=1', '--ephemeral', `--database-url=${server}`)
  await run.sees(/Ctrl-C stops everything/)
  const made = (await databases()).filter((name) => !before.includes(name))
  t.ok(made.length >= 3)
  const [, login = ''] = /^(token=.*?)^for/ms.exec(run.output()) ?? []
  t.match(login, 'demo@example.com')
  const family = familyOf(run.process.pid ?? 0)
  t.ok(family.length >= 5)
  run.process.kill('SIGINT')
  run.process.kill('SIGINT') // npm forwards the signal that the terminal has already sent.
  t.equal(await run.exited, 0)
  t.match(run.output(), /Stopped\.\n$/)
  t.ok(await allEnd(family))
  // A cluster of another test may have created some of them, and removes them a little later.
  const areRemoved = async () => (await databases()).every((name) => !made.includes(name))
  for (let attempt = 0; attempt < 100 && !(await areRemoved()); attempt++) await sleep(100)
  t.ok(await areRemoved())
})

t.test(
  'a cluster that is killed while its Postgres is frozen leaves no process, and the next start finds its data',
  async (t) => {
    const folder = await makeFolder(t)
    const flags = ['--port=0', '--instances=1', '--data-folder', folder]
    const first = runMain(t, ...flags)
    await first.sees(/Ctrl-C stops everything/)
    const family = familyOf(first.process.pid ?? 0)
    const [postmaster] = (await readFile(join(folder, 'postgres/postmaster.pid'), 'utf8')).split(
      '\n',
    )
    signalFamily(Number(postmaster), 'SIGSTOP')
    first.process.kill('SIGKILL')
    await first.exited
    const second = runMain(t, ...flags)
    await second.sees(/Ctrl-C stops everything/)
    t.ok(await allEnd(family), 'Postgres and every instance have ended')

    const password = (run: { output(): string }) => / with password (\S+)/.exec(run.output())?.[1]
    t.equal(password(second), password(first))
    const [, url = ''] = / at (http:\S+)/.exec(second.output()) ?? []
    const login = await fetch(`${url}/auth/v1/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'demo@example.com', password: password(second) }),
    })
    t.equal(login.status, 200)

    const later = familyOf(second.process.pid ?? 0)
    second.process.kill('SIGTERM')
    t.equal(await second.exited, 0)
    t.ok(await allEnd(later))
    t.strictSame((await readdir(folder)).sort(), [
      'cluster.lock',
      'keys.json',
      'logs',
      'mail',
      'postgres',
      'secrets.json',
      'service-keys',
    ])
    const { postgres } = JSON.parse(await readFile(join(folder, 'secrets.json'), 'utf8'))
    for (const log of await readdir(join(folder, 'logs'))) {
      t.notMatch(await readFile(join(folder, 'logs', log), 'utf8'), postgres)
    }
  },
)

t.test('Ctrl-C during the start leaves no process and releases the lock', async (t) => {
  const folder = await makeFolder(t)
  const run = runMain(t, '--port=0', '--instances=1', '--data-folder', folder)
  await run.sees(/✓ postgres/)
  const family = familyOf(run.process.pid ?? 0)
  run.process.kill('SIGINT')
  t.equal(await run.exited, 1)
  t.match(run.output(), 'Stopped before the start was complete.')
  t.ok(await allEnd(family))
  const next = await openDataFolder({ ephemeral: false, path: folder })
  next.close()
})

/** The databases on the test server. */
async function databases(): Promise<string[]> {
  const client = new Client({ connectionString: server })
  await client.connect()
  const { rows } = await client.query<{ datname: string }>(
    "SELECT datname FROM pg_database WHERE datname LIKE 'latchkey\\_%' AND datname NOT LIKE 'latchkey\\_test%' ORDER BY 1",
  )
  await client.end()
  return rows.map(({ datname }) => datname)
}
