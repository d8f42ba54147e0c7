import { setTimeout as sleep } from 'node:timers/promises'
import { createDatabase } from '@latchkey/test-kit'
import { Client } from 'pg'
import t from 'tap'
import { database } from '../src/database.ts'
import { createServer } from '../src/server.ts'

const serve = () => {
  const config = {
    LATCHKEY_INSTANCE: 'test-1',
    LATCHKEY_ISSUER: 'https://sso.test',
    LATCHKEY_LOG_LEVEL: 'silent',
  } as const
  return createServer({ name: 'test', config })
}

t.test(
  'refuses requests while the event loop is late, but still answers health checks',
  async (t) => {
    const app = serve()
    t.teardown(() => app.close())
    app.get('/', async () => 'ok')
    await app.listen({ host: '127.0.0.1', port: 0 })
    t.equal((await app.inject('/')).statusCode, 200)
    const end = performance.now() + 2_500
    while (performance.now() < end);
    await sleep(20) // Lets the plugin sample the blocked second.
    const refused = await app.inject('/')
    t.equal(refused.statusCode, 503)
    t.match(refused.json(), { code: 'overloaded' })
    t.equal(refused.headers['retry-after'], '1')
    for (const url of ['/livez', '/readyz', '/metrics']) {
      t.equal((await app.inject(url)).statusCode, 200, `${url} is answered`)
    }
    for (let tries = 0; (await app.inject('/')).statusCode !== 200 && tries < 100; tries += 1) {
      await sleep(100)
    }
    t.equal(
      (await app.inject('/')).statusCode,
      200,
      'accepts requests again once the loop keeps up',
    )
  },
)

t.test('warns of a pool larger than the connections the server has left', async (t) => {
  const connectionString = await createDatabase(t)
  const client = new Client({ connectionString })
  await client.connect()
  const { rows } = await client.query<{ max_connections: string }>('SHOW max_connections')
  await client.end()
  for (const [max, warned] of [
    [1, false],
    [Number(rows[0]?.max_connections), true],
  ] as const) {
    const app = serve()
    t.teardown(() => app.close())
    const warnings = t.capture(app.log, 'warn')
    await app.register(database, {
      config: {
        LATCHKEY_DATABASE_URL: connectionString,
        LATCHKEY_DATABASE_POOL_MAX: max,
        LATCHKEY_INSTANCE: 'test-1',
      },
      migrations: new URL('../../../services/orders/migrations/', import.meta.url),
    })
    await app.ready()
    const messages: string[] = []
    for (let tries = 0; tries < (warned ? 200 : 10) && messages.length === 0; tries += 1) {
      await sleep(50)
      messages.push(...warnings().map(({ args }) => String(args.at(-1))))
    }
    t.equal(
      messages.some((line) => line.startsWith('LATCHKEY_DATABASE_POOL_MAX allows')),
      warned,
    )
  }
})
