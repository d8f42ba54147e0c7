import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createServer } from '../src/server.ts'

t.test('does not mistake a slow start for overload', async (t) => {
  const config = {
    LATCHKEY_INSTANCE: 'test-1',
    LATCHKEY_ISSUER: 'https://sso.test',
    LATCHKEY_LOG_LEVEL: 'silent',
  } as const
  const app = createServer({ name: 'test', config })
  t.teardown(() => app.close())
  app.get('/', async () => 'ok')
  await app.ready()
  // A slow start, as on a machine where many services start simultaneously.
  const end = performance.now() + 2_500
  while (performance.now() < end);
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  await sleep(20) // Lets the plugin sample the blocked second.
  t.equal((await fetch(url)).status, 200)
})
