import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { Client } from 'pg'
import t, { type Test } from 'tap'
import { startEmbeddedPostgres } from '../src/index.ts'
import { assertReachable } from '../src/system-user.ts'

/** Whether the server accepts a login and a query. */
async function answers(connectionString: string): Promise<boolean> {
  const client = new Client({ connectionString })
  client.on('error', () => {})
  try {
    await client.connect()
    return (await client.query('SELECT 1 AS one')).rows[0].one === 1
  } catch {
    return false
  } finally {
    await client.end()
  }
}

/** A folder that any user can enter. */
async function makeFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-test-'))
  await chmod(folder, 0o711)
  t.teardown(() => rm(folder, { recursive: true, maxRetries: 3 }))
  return folder
}

t.test('starts a server that answers on TCP with a password, and stops it', async (t) => {
  const { url, stop } = await startEmbeddedPostgres(20)
  t.ok(await answers(url))
  const wrong = new URL(url)
  wrong.password = 'wrong'
  t.notOk(await answers(wrong.href))
  await stop()
  t.notOk(await answers(url))
})

t.test('stops the server when its parent is killed', async (t) => {
  const folder = await makeFolder(t)
  const script = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(import.meta.resolve('../src/index.ts'))})
    process.send((await startEmbeddedPostgres(20)).url)
    setInterval(() => {}, 1000)`
  const args = ['--input-type=module', '-e', script]
  const parent = execa(process.execPath, args, {
    env: { TMPDIR: folder },
    ipc: true,
    buffer: false,
    reject: false,
  })
  const url = String(await parent.getOneMessage())
  t.ok(await answers(url))
  parent.kill('SIGKILL')
  await parent
  for (let attempt = 0; attempt < 100 && (await answers(url)); attempt++) await sleep(50)
  t.notOk(await answers(url))
})

t.test('names the folder that the server’s user cannot enter', async (t) => {
  const closed = join(await makeFolder(t), 'closed')
  await mkdir(closed, { mode: 0o700 })
  const path = join(closed, 'postgres')
  await mkdir(path, { mode: 0o755 })
  const user = { uid: 65_534, gid: 65_534 }
  t.throws(() => assertReachable(path, user), {
    name: 'EmbeddedPostgresError',
    message: `cannot enter ${closed};`,
  })
  assertReachable(dirname(closed), user)
})
