import t, { type Test } from 'tap'
import { createServer } from '../src/server.ts'

/** A server that answers with the address of the client, and its warnings. */
async function start(t: Test, LATCHKEY_TRUST_PROXY?: string) {
  const app = createServer({
    name: 'test',
    config: {
      LATCHKEY_INSTANCE: 'test-1',
      LATCHKEY_ISSUER: 'https://sso.test',
      LATCHKEY_LOG_LEVEL: 'silent',
      ...(LATCHKEY_TRUST_PROXY && { LATCHKEY_TRUST_PROXY }),
    },
  })
  t.teardown(() => app.close())
  const warnings = t.capture(app.log, 'warn')
  app.get('/address', async (request) => request.ip)
  await app.ready()
  const from = async (remoteAddress: string, forwarded?: string) => {
    const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
    return (await app.inject({ url: '/address', remoteAddress, headers })).body
  }
  return { from, warnings: () => warnings().map(({ args }) => args) }
}

t.test('reads the address of the client through a number of hops', async (t) => {
  const one = await start(t, '1')
  t.equal(await one.from('10.0.0.9', '203.0.113.7'), '203.0.113.7')
  t.equal(await one.from('10.0.0.9', '198.51.100.1, 203.0.113.7'), '203.0.113.7')
  const two = await start(t, '2')
  t.equal(await two.from('10.0.0.9', '203.0.113.7, 10.0.0.8'), '203.0.113.7')
  const none = await start(t, '0')
  t.equal(await none.from('10.0.0.9', '203.0.113.7'), '10.0.0.9')
})

t.test('reads the address of the client from trusted proxies alone', async (t) => {
  const { from, warnings } = await start(t, 'uniquelocal, 100.64.0.0/10')
  t.equal(await from('100.64.0.9', '203.0.113.7'), '203.0.113.7')
  t.equal(await from('10.0.0.9', '203.0.113.7, 100.64.0.9'), '203.0.113.7')
  t.equal(await from('10.0.0.9'), '10.0.0.9')
  t.strictSame(warnings(), [])
  t.equal(await from('198.51.100.1', '203.0.113.7'), '198.51.100.1')
})

t.test('warns once of forwarded addresses from a peer that is not trusted', async (t) => {
  for (const setting of [undefined, '10.0.0.1']) {
    const { from, warnings } = await start(t, setting)
    await from('198.51.100.1')
    for (let i = 0; i < 3; i += 1) await from('198.51.100.1', '203.0.113.7')
    const [first, ...others] = warnings()
    t.match(first, [{ peer: '198.51.100.1' }, /LATCHKEY_TRUST_PROXY does not name this peer/])
    t.strictSame(others, [])
  }
})
