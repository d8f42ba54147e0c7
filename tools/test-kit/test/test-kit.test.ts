import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { Client } from 'pg'
import t from 'tap'
import { sendBadRequest } from '../src/bad-clients.ts'
import { createDatabase, writeKeyFile } from '../src/index.ts'

t.test('creates an empty database for each call and drops it after the test', async (t) => {
  const urls: string[] = []
  await t.test('during the test', async (t) => {
    urls.push(await createDatabase(t), await createDatabase(t))
    for (const url of urls) {
      const client = new Client(url)
      // The connection stays open: dropping the database ends it.
      client.on('error', () => {})
      await client.connect()
      await client.query('CREATE TABLE things (id integer)')
    }
  })
  for (const url of urls) {
    await t.rejects(new Client(url).connect(), { code: '3D000' })
  }
})

t.test(
  'writes a token key and a refresh key that only the owner can read, and removes them',
  async (t) => {
    const files: string[] = []
    await t.test('during the test', async (t) => {
      const { file, kid, secret } = writeKeyFile(t)
      files.push(file)
      t.equal(statSync(file).mode & 0o777, 0o600)
      const { keys } = JSON.parse(readFileSync(file, 'utf8'))
      t.match(keys, [{ kid, alg: 'HS256' }, { use: 'latchkey:refresh' }])
      t.equal(keys[0].k, secret.toString('base64url'))
      t.equal(secret.length, 32)
    })
    for (const file of files) t.notOk(existsSync(file))
  },
)

t.test('a bad client survives a server that resets the connection', async (t) => {
  const server = createServer((socket) => socket.once('data', () => socket.resetAndDestroy()))
  t.teardown(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  t.match(await sendBadRequest({ url }, 'bad chunk'), 'ECONNRESET')
})
